"""The local email service of a test run, in a process of its own, and what it caught."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import httpx

from local.services.kept_secrets import email_key
from local.stack.ports import free_ports

ROOT = Path(__file__).resolve().parents[3]
SENDER = "DoNotReply@portal.example"


class Capture:
    """`python -m local.services` on free ports; a context manager that ends it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.ports = free_ports(2)
        self.url = f"http://127.0.0.1:{self.ports[1]}"

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "local.services", "--port", str(self.ports[0])]
        command += ["--email-port", str(self.ports[1]), "--data", str(self.data), "--end-with-parent"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self._process.stdout is not None
        assert self._process.stdout.readline().startswith("ready ")
        self._http = httpx.Client(base_url=self.url, trust_env=False)
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    @property
    def key(self) -> str:
        return email_key(self.data)

    def forget(self) -> None:
        """Nothing caught, and good behaviour."""
        self._http.delete("/captured").raise_for_status()
        self._http.delete("/control").raise_for_status()

    def switch(self, name: str, **values: Any) -> None:
        """One of the service's switches: hold, fail, outcome, limits."""
        self._http.post(f"/control/{name}", json=values).raise_for_status()

    def requests(self) -> list[dict[str, Any]]:
        """Every request to send, also the refused ones."""
        found: list[dict[str, Any]] = self._http.get("/captured").json()["requests"]
        return found

    def accepted(self) -> list[dict[str, Any]]:
        """The requests that led to an email."""
        return [one for one in self.requests() if one["status"] == 202]

    def wait_for(self, count: int) -> None:
        """Return once so many requests have come."""
        deadline = time.monotonic() + 30
        while len(self.requests()) < count:
            assert time.monotonic() < deadline, "no request came"
            time.sleep(0.02)
