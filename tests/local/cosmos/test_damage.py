"""Files that are damaged, and a disk that is full for a while: the server says so, mends what it can, and goes on."""

from __future__ import annotations

import resource
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from azure.cosmos import ContainerProxy, CosmosClient, PartitionKey
from azure.cosmos.exceptions import CosmosHttpResponseError

from local.cosmos.signature import EMULATOR_KEY
from tests.local.cosmos.conftest import run_to_end
from tests.local.cosmos.index.test_background import fill, wait_until_followed

PAGE_BYTES = 4096


def overwrite_middle(file: Path) -> None:
    """Everything but the first pages and the last one."""
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.seek(3 * PAGE_BYTES)
        opened.write(b"\xa5" * (size - 4 * PAGE_BYTES))


def overwrite_all(file: Path) -> None:
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.write(b"not a database " * (size // 15))


def cut_to_half(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size // 2)


def found(container: ContainerProxy, number: int, **scope: Any) -> list[str]:
    return list(container.query_items(f"SELECT VALUE c.id FROM c WHERE c.n = {number}", **scope))


def opened(server: Any) -> ContainerProxy:
    client = CosmosClient(server.url, EMULATOR_KEY)
    return client.get_database_client("db").get_container_client("c")


@pytest.fixture
def filled(start_server: Any, tmp_path: Path) -> Any:
    """A server that was stopped, with a container of 600 items and their index."""
    server = start_server(tmp_path)
    with CosmosClient(server.url, EMULATOR_KEY) as client:
        container = client.create_database("db").create_container("c", PartitionKey("/pk"))
        fill(container, "p", 600)
    wait_until_followed(server.url, 1)
    server.stop()
    return server


@pytest.mark.parametrize("damage", [overwrite_middle, overwrite_all, cut_to_half])
def test_an_index_that_was_damaged_while_the_server_was_stopped_is_made_again(
    filled: Any, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    damage(tmp_path / "index.sqlite")
    filled.restart()
    container = opened(filled)
    assert found(container, 250, partition_key="p") == ["0250"]
    assert found(container, 251, enable_cross_partition_query=True) == ["0251"]
    container.create_item({"id": "new", "pk": "p", "n": 1000})
    wait_until_followed(filled.url, 1)
    assert found(container, 1000, partition_key="p") == ["new"]
    filled.stop()
    filled.restart()
    assert found(opened(filled), 252, partition_key="p") == ["0252"]


@pytest.mark.parametrize("damage", [overwrite_middle, overwrite_all, cut_to_half])
@pytest.mark.parametrize("scope", [{"partition_key": "p"}, {"enable_cross_partition_query": True}], ids=["key", "all"])
def test_an_index_that_is_damaged_under_the_running_server_is_made_again(
    filled: Any, tmp_path: Path, damage: Callable[[Path], None], scope: dict[str, Any]
) -> None:
    filled.restart()
    container = opened(filled)
    damage(tmp_path / "index.sqlite")
    for number in (3, 250, 599):
        assert found(container, number, **scope) == [f"{number:04}"]
    container.create_item({"id": "new", "pk": "p", "n": 1000})
    wait_until_followed(filled.url, 1)
    assert found(container, 1000, **scope) == ["new"]


@pytest.mark.parametrize("content", [b"not a database " * 1000, b"SQLite format 3\0" * 300], ids=["text", "header"])
def test_items_that_cannot_be_read_are_a_sentence_and_exit_code_1(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "cosmos.sqlite").write_bytes(content)
    assert_is_refused(tmp_path)


def test_a_catalog_that_is_damaged_is_a_sentence_and_exit_code_1(filled: Any, tmp_path: Path) -> None:
    file = tmp_path / "cosmos.sqlite"
    size = file.stat().st_size
    with file.open("r+b") as written:
        written.seek(PAGE_BYTES)
        written.write(b"\xa5" * (size - PAGE_BYTES))
    assert_is_refused(tmp_path)


def assert_is_refused(data: Path) -> None:
    ended = run_to_end("--port", 0, "--data", data)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"{data / 'cosmos.sqlite'} cannot be read" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_work_in_the_background_goes_on_after_the_disk_was_full(start_server: Any, tmp_path: Path) -> None:
    server = start_server(tmp_path)
    with CosmosClient(server.url, EMULATOR_KEY) as client:
        container = client.create_database("db").create_container("c", PartitionKey("/pk"), default_ttl=-1)
        fill(container, "p", 300)
        wait_until_followed(server.url, 1)
        container.create_item({"id": "short", "pk": "p", "ttl": 1})
        container.create_item({"id": "new", "pk": "p", "n": 1000})
        let_files_grow_to(server, 1)
        with pytest.raises(CosmosHttpResponseError) as raised:
            container.create_item({"id": "lost", "pk": "p"})
        assert raised.value.status_code == 500
        time.sleep(2.5)  # so that each kind of work has failed
        let_files_grow_to(server, resource.RLIM_INFINITY)
        container.create_item({"id": "next", "pk": "p"})
        wait_until_followed(server.url, 1)
        assert found(container, 1000, partition_key="p") == ["new"]
        wait_until_swept(tmp_path, "short")
        kept = container.query_items("SELECT VALUE c.id FROM c WHERE NOT IS_DEFINED(c.n)", partition_key="p")
        assert list(kept) == ["next"]


def let_files_grow_to(server: Any, size: int) -> None:
    """How large any file may become that the server writes to: what is beyond fails as on a full disk."""
    _, most = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, most))


def wait_until_swept(data: Path, item_id: str) -> None:
    """Until the item is in the file no more."""
    deadline = time.monotonic() + 10
    connection = sqlite3.connect(data / "cosmos.sqlite")
    while connection.execute("SELECT 1 FROM items_1 WHERE id = ?", (item_id,)).fetchone():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    connection.close()
