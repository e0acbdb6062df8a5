"""Fixtures for the functions host: apps run by a host process of their own."""

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

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 20


@dataclass
class RunningHost:
    """A host process; `log` holds its standard error line by line as it comes."""

    url: str
    process: subprocess.Popen[str]
    output: list[str]
    log: list[str] = field(default_factory=list)
    _lines: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)

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
        """Ask it to end, as a platform would; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)

    def read_log(self) -> None:
        """Take in standard error until it ends."""
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
        host = RunningHost(output[-1].removeprefix("ready "), process, output)
        threading.Thread(target=host.read_log, daemon=True).start()
        yield host
    finally:
        process.kill()
        process.wait()


def refusal(app: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> str:
    """What a host that does not start says; it must end with exit code 1."""
    process = start_process(app, *arguments, environ=environ)
    try:
        output, errors = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 1, output + errors
        return errors
    finally:
        process.kill()


StartHost = Callable[..., RunningHost]


@pytest.fixture
def start_host() -> Iterator[StartHost]:
    """Starts hosts that end with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda app, *arguments, environ=None: stack.enter_context(running_host(app, *arguments, environ=environ))


@pytest.fixture(scope="session")
def contract_host(pytestconfig: pytest.Config) -> Iterator[str]:
    """Address of a host that runs the contract app: our own, or the one that --host names."""
    given: str | None = pytestconfig.getoption("--host", default=None)
    if given:
        yield given.rstrip("/")
        return
    with running_host(Path(__file__).parent / "contract_app") as host:
        yield host.url


@pytest.fixture(scope="session")
def contract(contract_host: str) -> Iterator[httpx.Client]:
    """A client of the contract app."""
    with httpx.Client(base_url=contract_host) as client:
        yield client
