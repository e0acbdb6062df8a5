"""The local services of a test, in a process of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from local.services.kept_secrets import email_key
from local.stack.ports import free_ports

ROOT = Path(__file__).resolve().parents[3]


@dataclass(slots=True)
class Services:
    """`python -m local.services` on two free ports; it can be killed and started again on its data."""

    data: Path
    arguments: list[str] = field(default_factory=list)
    ports: list[int] = field(default_factory=lambda: free_ports(2))
    process: subprocess.Popen[str] | None = None

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}/identity"

    @property
    def email(self) -> str:
        return f"http://127.0.0.1:{self.ports[1]}"

    @property
    def key(self) -> str:
        return email_key(self.data)

    def start(self) -> None:
        command = [sys.executable, "-m", "local.services", "--port", str(self.ports[0])]
        command += ["--email-port", str(self.ports[1]), "--data", str(self.data), "--end-with-parent", *self.arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self.process.stdout is not None
        assert self.process.stdout.readline().startswith("ready http://127.0.0.1:")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Services without a storage, shared by the tests of a module."""
    with ExitStack() as ending:
        started = Services(tmp_path_factory.mktemp("services"))
        started.start()
        ending.callback(started.kill)
        yield started
