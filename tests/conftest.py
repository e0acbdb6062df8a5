"""The local Azure that the tests run against: started once per run when the first test asks for it, ended with it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from azure.cosmos.aio import DatabaseProxy

    from local.stack.served import ServedStack

ROOT = Path(__file__).resolve().parents[1]
READY_SECONDS = 60


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--host", metavar="URL", help="run the contract tests of the functions host against this host")


@dataclass(frozen=True, slots=True)
class CosmosAccount:
    """A Cosmos account of the local server."""

    endpoint: str
    key: str


@contextmanager
def server(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A local server that has said that it is ready; it ends with the block, and with this process if that dies."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output, cwd=ROOT)
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not any(line.startswith(b"ready http") for line in log.read_bytes().splitlines()):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{' '.join(command[:4])} did not start:\n{log.read_text()[-3000:]}")
            time.sleep(0.02)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection string of an Azurite of this run."""
    from local.stack.app_settings import storage_connection
    from local.stack.children import azurite_command
    from local.stack.folder import Ports, StackFolder
    from local.stack.ports import free_ports

    folder = StackFolder(tmp_path_factory.mktemp("azurite"))
    ports = Ports(*free_ports(6))
    with server(azurite_command(folder, ports), folder.root / "azurite.log"):
        yield storage_connection(ports)


@pytest.fixture(scope="session")
def cosmos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CosmosAccount]:
    """A Cosmos account of this run, without a database in it."""
    from local.stack.app_settings import COSMOS_KEY
    from local.stack.ports import free_ports

    data = tmp_path_factory.mktemp("cosmos")
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "local.cosmos", "--port", str(port), "--data", str(data), "--end-with-parent"]
    with server([*command, "--key", COSMOS_KEY, "--consistency", "Strong"], data / "cosmos.log"):  # as it is deployed
        yield CosmosAccount(f"http://127.0.0.1:{port}", COSMOS_KEY)


@pytest.fixture
async def database(cosmos: CosmosAccount) -> AsyncIterator[DatabaseProxy]:
    """A database of this test alone, with the app's containers."""
    from azure.cosmos import PartitionKey
    from azure.cosmos.aio import CosmosClient

    definitions = json.loads((ROOT / "infra" / "containers.json").read_text(encoding="utf-8"))["containers"]
    async with CosmosClient(cosmos.endpoint, credential=cosmos.key) as client:
        made = await client.create_database(f"test-{uuid.uuid4().hex[:12]}")
        for one in definitions:
            key = one["partitionKey"]
            paths = key["paths"] if key["kind"] == "MultiHash" else key["paths"][0]
            await made.create_container(
                one["name"],
                PartitionKey(path=paths, kind=key["kind"]),
                indexing_policy=one["indexingPolicy"],
                default_ttl=one.get("defaultTtl"),
            )
        yield made
        await client.delete_database(made.id)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedStack]:
    """The whole stack, served without sample people."""
    from local.stack.served import ServedStack

    with ServedStack(tmp_path_factory.mktemp("stack")) as served:
        yield served
