"""Server processes for the benchmarks of the Cosmos server; each ends with the block that started it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.measuring.report import ROOT


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A server that listens on 127.0.0.1."""

    url: str
    pid: int

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])


@contextmanager
def cosmos_server(data: Path, options: Sequence[str] = ()) -> Iterator[ServerProcess]:
    """The Cosmos server on a data directory."""
    command = ["-m", "local.cosmos", "--port", "0", "--data", str(data), *options, "--end-with-parent"]
    with _started(command) as server:
        yield server


@contextmanager
def bare_server(origin: ServerProcess, data: Path | None) -> Iterator[ServerProcess]:
    """A bare application that repeats the answers of `origin`; with `data`, after one read or write there."""
    command = ["-m", "bench.measuring.bare_server", origin.url, *([str(data)] if data else [])]
    with _started(command) as server:
        yield server


@contextmanager
def _started(command: Sequence[str]) -> Iterator[ServerProcess]:
    process = subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        ready, _, url = process.stdout.readline().partition(" ")
        if ready != "ready":
            raise RuntimeError(f"{' '.join(command)} did not start")
        yield ServerProcess(url.strip(), process.pid)
    finally:
        process.terminate()
        process.wait(30)
        process.stdin.close()
        process.stdout.close()
