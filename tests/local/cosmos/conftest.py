"""A Cosmos server of this machine for these tests, and fresh containers in it, by the real client."""

from __future__ import annotations

import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, CosmosClient, DatabaseProxy

from local.cosmos.signature import EMULATOR_KEY

ROOT = Path(__file__).resolve().parents[3]

MakeContainer = Callable[..., Awaitable[ContainerProxy]]


def run_to_end(*options: object) -> subprocess.CompletedProcess[str]:
    """A server that is expected to end by itself, with these options."""
    return subprocess.run(
        [sys.executable, "-m", "local.cosmos", *map(str, options)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


class RunningServer:
    """A server process on a data directory; it ends with the tests whatever happens."""

    def __init__(self, data: Path, options: list[str] | None = None) -> None:
        self._data = data
        self._options = options or []
        self.url = ""
        self.process = self._started("0")

    def _started(self, port: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "local.cosmos",
                "--port",
                port,
                "--data",
                self._data,
                *self._options,
                "--end-with-parent",
            ],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        first = process.stdout.readline().split()
        assert first[:1] == ["ready"], f"the server did not start: {first}"
        self.url = first[1]
        return process

    def kill(self) -> None:
        """As a power switch would, for this process."""
        self.process.kill()
        self._reap()

    def restart(self) -> None:
        """On the same port and data."""
        self.process = self._started(self.url.rpartition(":")[2])

    def stop(self) -> int:
        """Ends it properly; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self._reap()

    def _reap(self) -> int:
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe is not None:
                    pipe.close()


@pytest.fixture(scope="session")
def cosmos_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    server = RunningServer(tmp_path_factory.mktemp("cosmos"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
async def client(cosmos_server: RunningServer) -> AsyncIterator[CosmosClient]:
    async with CosmosClient(cosmos_server.url, EMULATOR_KEY) as opened:
        yield opened


@pytest.fixture(scope="session")
async def database(client: CosmosClient) -> DatabaseProxy:
    return await client.create_database("tests")


@pytest.fixture
def make_container(database: DatabaseProxy) -> MakeContainer:
    """A new container, with the key path /pk unless another is given."""

    async def make(path: str | list[str] = "/pk", **properties: Any) -> ContainerProxy:
        kind = "Hash" if isinstance(path, str) else "MultiHash"
        return await database.create_container(
            f"c{uuid.uuid4().hex[:12]}", PartitionKey(path=path, kind=kind), **properties
        )

    return make


@pytest.fixture
async def container(make_container: MakeContainer) -> ContainerProxy:
    return await make_container()


@pytest.fixture
def start_server() -> Iterator[Callable[..., RunningServer]]:
    """Starts servers of a test's own, and ends them with it."""
    started: list[RunningServer] = []

    def start(data: Path, options: list[str] | None = None) -> RunningServer:
        started.append(RunningServer(data, options))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.kill()
