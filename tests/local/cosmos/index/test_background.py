"""The index of a running server: it follows by itself, outlives restarts, and minds no container that goes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
from azure.cosmos import ContainerProxy, CosmosClient, PartitionKey

from local.cosmos.signature import EMULATOR_KEY


def fill(container: ContainerProxy, pk: str, count: int) -> None:
    for start in range(0, count, 100):
        items = [{"id": f"{n:04}", "pk": pk, "n": n, "even": n % 2 == 0} for n in range(start, start + 100)]
        container.execute_item_batch([("create", (item,)) for item in items], pk)


def wait_until_followed(url: str, containers: int) -> None:
    """Until the index has seen everything of so many containers."""
    deadline = time.monotonic() + 20
    while True:
        behind = httpx.get(f"{url}/_local/index", trust_env=False).json()
        if len(behind) == containers and not any(behind.values()):
            return
        assert time.monotonic() < deadline, behind
        time.sleep(0.05)


def test_the_index_follows_and_outlives_restarts_and_kills(start_server: Any, tmp_path: Path) -> None:
    server = start_server(tmp_path)
    with CosmosClient(server.url, EMULATOR_KEY) as client:
        container = client.create_database("db").create_container("c", PartitionKey("/pk"))
        fill(container, "p", 300)
    wait_until_followed(server.url, 1)
    for end in (server.stop, server.kill):
        end()
        server.restart()
        with CosmosClient(server.url, EMULATOR_KEY) as client:
            container = client.get_database_client("db").get_container_client("c")
            found = list(container.query_items("SELECT VALUE c.id FROM c WHERE c.n IN (7, 250)", partition_key="p"))
            assert found == ["0007", "0250"]
            container.upsert_item({"id": "0007", "pk": "p", "n": 7})
        wait_until_followed(server.url, 1)


def test_a_container_that_is_dropped_while_it_is_followed_disturbs_no_other(start_server: Any, tmp_path: Path) -> None:
    server = start_server(tmp_path)
    with CosmosClient(server.url, EMULATOR_KEY) as client:
        database = client.create_database("db")
        kept = database.create_container("kept", PartitionKey("/pk"))
        for number in range(5):
            going = database.create_container(f"going-{number}", PartitionKey("/pk"))
            fill(going, "p", 1000)
            list(going.query_items("SELECT VALUE c.id FROM c WHERE c.n = 3", partition_key="p"))
            database.delete_container(going)
        fill(kept, "p", 300)
        wait_until_followed(server.url, 1)
        assert list(kept.query_items("SELECT VALUE c.id FROM c WHERE c.n = 3", partition_key="p")) == ["0003"]


def test_an_index_that_is_no_database_any_more_is_made_again(start_server: Any, tmp_path: Path) -> None:
    server = start_server(tmp_path)
    with CosmosClient(server.url, EMULATOR_KEY) as client:
        fill(client.create_database("db").create_container("c", PartitionKey("/pk")), "p", 300)
    wait_until_followed(server.url, 1)
    server.stop()
    index = tmp_path / "index.sqlite"
    assert index.stat().st_size > 4096
    for damage in (b"not a database " * 1000, b""):
        index.write_bytes(damage)
        server.restart()
        wait_until_followed(server.url, 1)
        with CosmosClient(server.url, EMULATOR_KEY) as client:
            container = client.get_database_client("db").get_container_client("c")
            found = list(container.query_items("SELECT VALUE c.id FROM c WHERE c.n = 250", partition_key="p"))
        assert found == ["0250"]
        server.stop()
        assert index.stat().st_size > 4096
