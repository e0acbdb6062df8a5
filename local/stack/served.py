"""A whole stack in processes of its own, as `dev.py serve` starts it: for system tests and benchmarks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from local.commands.token import token_of
from local.services import tokens
from local.services.kept_secrets import SYSTEM_CLIENT
from local.stack.children import ROOT
from local.stack.folder import StackFolder
from local.stack.ports import free_ports

START_SECONDS = 120
RESTART_SECONDS = 60


class ServedStack:
    """One served stack; a context manager that ends it. It also ends when this process does, however that ends."""

    def __init__(self, data: Path, *, port: int | None = None, sample: bool = False) -> None:
        self.folder = StackFolder(data.resolve())
        self.port = port or free_ports(1)[0]
        self._sample = sample
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """The functions host; FHIR is at `/api/fhir` under it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def services(self) -> dict[str, Any]:
        """What services.json says now: every URL, key and process id."""
        described: dict[str, Any] = json.loads(self.folder.services_json.read_text(encoding="utf-8"))
        return described

    def start(self) -> Self:
        """Serve, and return when it is ready; what it says goes to supervisor.log in the folder's logs."""
        self.folder.logs.mkdir(parents=True, exist_ok=True)
        log = self.folder.logs / "supervisor.log"
        command = [sys.executable, str(ROOT / "dev.py"), "serve", "--port", str(self.port)]
        command += ["--data", str(self.folder.root), "--end-with-parent"]
        if not self._sample:
            command.append("--no-sample")
        with log.open("a", encoding="utf-8") as errors:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()  # ends at the latest when the supervisor gives up
        if not line.startswith("ready "):
            raise RuntimeError(f"the stack did not start:\n{log.read_text(encoding='utf-8')[-4000:]}")
        return self

    def token(
        self,
        *,
        patient: str | None = None,
        practitioner: str | None = None,
        system: bool = False,
        scope: str | None = None,
        lifetime_seconds: int = tokens.LIFETIME_SECONDS,
    ) -> str:
        """An access token for one of the three; a negative lifetime gives one that has expired."""
        if patient is not None:
            subject = tokens.patient(patient)
        elif practitioner is not None:
            subject = tokens.practitioner(practitioner)
        elif system:
            subject = tokens.system(SYSTEM_CLIENT)
        else:
            raise ValueError("name a patient, a practitioner, or system=True")
        return token_of(self.folder, subject, scope=scope, lifetime_seconds=lifetime_seconds)

    def kill(self, name: str) -> int:
        """`kill -9` of a child: azurite, cosmos, services or functions. Its former process id."""
        pid: int = self.services["pids"][name]
        os.kill(pid, signal.SIGKILL)
        return pid

    def kill_and_wait(self, name: str) -> None:
        """`kill -9` of a child, then wait until the supervisor has another one ready at the same address."""
        former = self.kill(name)
        self._wait(lambda: self.services["pids"].get(name, former) != former, f"{name} was not started again")
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Return when the app says that it reaches everything."""
        import httpx

        def ready() -> bool:
            try:
                return httpx.get(f"{self.url}/api/health/ready", timeout=5, trust_env=False).status_code == 200
            except httpx.TransportError:
                return False

        self._wait(ready, "the app is not ready")

    def _wait(self, holds: Callable[[], bool], complaint: str) -> None:
        deadline = time.monotonic() + RESTART_SECONDS
        while not holds():
            if time.monotonic() > deadline:
                raise TimeoutError(complaint)
            time.sleep(0.05)

    def kill_everything(self) -> None:
        """`kill -9` of the supervisor and of every child at the same moment; `start` brings it back."""
        for pid in self.services["pids"].values():
            os.kill(pid, signal.SIGKILL)
        self._ended()

    def kill_supervisor(self) -> None:
        """`kill -9` of the supervisor alone; its children then end by themselves."""
        assert self._process is not None
        self._process.kill()
        self._ended()

    def stop(self) -> None:
        """End it gracefully, as Ctrl-C does."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        self._ended()

    def _ended(self) -> None:
        if self._process is None:
            return
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
