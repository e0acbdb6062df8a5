"""Apps written by tests, and host processes that run them."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 20
ANONYMOUS = "import azure.functions as func\napp = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)\n"


@dataclass
class RunningHost:
    """A host process; `log` holds its standard error line by line as it comes."""

    url: str
    process: subprocess.Popen[str]
    output: list[str]
    log: list[str] = field(default_factory=list)
    _lines: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()

    def logged(self, text: str, times: int = 1) -> str:
        """Wait until `times` log lines hold `text`; the last of them."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            found = [line for line in self.log if text in line]
            if len(found) >= times:
                return found[times - 1]
            with contextlib.suppress(queue.Empty):
                self.log.append(self._lines.get(timeout=max(0.01, deadline - time.monotonic())))
                continue
            raise AssertionError(f"{text!r} is not logged {times} times:\n" + "".join(self.log))

    def stop(self) -> int:
        """Ask it to end, as a platform would; its exit code. `log` is complete then."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        while not self._lines.empty():
            self.log.append(self._lines.get())
        return code

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.put(line)


def write_app(folder: Path, code: str, host: Mapping[str, Any] | None = None, local: Any = None) -> Path:
    """A function app in `folder` from the text of its function_app.py."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "function_app.py").write_text(code)
    (folder / "host.json").write_text(json.dumps({"version": "2.0", **(host or {})}))
    if local is not None:
        (folder / "local.settings.json").write_text(json.dumps({"IsEncrypted": False, **local}))
    return folder


def start_process(app: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """The host as a process that ends when this one does, however that ends."""
    return subprocess.Popen(
        [sys.executable, "-m", "local.host", "--app", str(app), "--port", "0", "--end-with-parent", *arguments],
        cwd=ROOT,
        env={**os.environ, **(environ or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def running_host(app: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> Iterator[RunningHost]:
    """A host on `app` that is ready; it is killed at the end if it still runs."""
    process = start_process(app, *arguments, environ=environ)
    try:
        assert process.stdout is not None
        output: list[str] = []
        for line in process.stdout:
            output.append(line.rstrip("\n"))
            if line.startswith("ready "):
                break
        else:
            assert process.stderr is not None
            raise AssertionError("the host did not start:\n" + process.stderr.read())
        yield RunningHost(output[-1].removeprefix("ready "), process, output)
    finally:
        process.kill()
        process.wait()


def refusal(app: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> str:
    """What a host that does not start says; it must end with exit code 1."""
    process = start_process(app, *arguments, environ=environ)
    try:
        code = process.wait(PATIENCE_SECONDS)  # not communicate(): it closes standard input, which means "end"
        assert process.stderr is not None
        errors = process.stderr.read()
        assert code == 1, errors
        return errors
    finally:
        process.kill()


StartHost = Callable[..., RunningHost]
