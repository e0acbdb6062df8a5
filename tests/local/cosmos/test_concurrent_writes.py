"""Writes that arrive together are committed together; each succeeds or fails alone, and is answered when it is kept."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.cosmos.aio import ContainerProxy
from azure.cosmos.exceptions import CosmosBatchOperationError, CosmosHttpResponseError

from local.cosmos.documents import read_document
from local.cosmos.storage.catalog import Catalog, Container
from local.cosmos.storage.database import Database
from local.cosmos.storage.items import writing


async def test_of_many_creates_of_one_id_one_succeeds(container: ContainerProxy) -> None:
    async def create(number: int) -> int | None:
        try:
            await container.create_item({"id": "one", "pk": "p", "n": number})
        except CosmosHttpResponseError as error:
            return error.status_code
        return 201

    statuses = await asyncio.gather(*[create(number) for number in range(20)])
    assert (statuses.count(201), statuses.count(409)) == (1, 19)
    assert (await container.read_item("one", "p"))["n"] == statuses.index(201)


async def test_of_many_updates_under_one_etag_one_succeeds(container: ContainerProxy) -> None:
    item = await container.create_item({"id": "one", "pk": "p", "n": -1})

    async def update(number: int) -> int | None:
        try:
            changed = {"id": "one", "pk": "p", "n": number}
            await container.replace_item(
                "one", changed, etag=item["_etag"], match_condition=MatchConditions.IfNotModified
            )
        except CosmosHttpResponseError as error:
            return error.status_code
        return 200

    statuses = await asyncio.gather(*[update(number) for number in range(20)])
    assert (statuses.count(200), statuses.count(412)) == (1, 19)
    assert (await container.read_item("one", "p"))["n"] == statuses.index(200)


async def test_a_batch_that_fails_takes_nothing_of_its_neighbours_with_it(container: ContainerProxy) -> None:
    await container.create_item({"id": "taken", "pk": "p"})

    async def write(number: int) -> bool:
        operations: list[Any] = [("create", ({"id": f"{number}-{part}", "pk": "p"},)) for part in range(5)]
        if number % 3 == 0:
            operations.append(("create", ({"id": "taken", "pk": "p"},)))
        try:
            await container.execute_item_batch(operations, "p")
        except CosmosBatchOperationError:
            return False
        return True

    made = await asyncio.gather(*[write(number) for number in range(30)])
    assert made == [number % 3 != 0 for number in range(30)]
    kept = {item["id"] async for item in container.query_items("SELECT c.id FROM c", partition_key="p")}
    assert kept == {"taken"} | {f"{n}-{part}" for n in range(30) for part in range(5) if n % 3}
    changes = [item["_lsn"] async for item in container.query_items_change_feed(start_time="Beginning")]
    assert changes == sorted(changes)
    assert len(set(changes)) == 1 + 20


@pytest.fixture
async def grouped(tmp_path: Path) -> AsyncIterator[tuple[Database, Container]]:
    """A file whose writes are grouped, as while others wait."""
    file = Database(tmp_path / "items.sqlite")
    catalog = Catalog(file)
    properties = {"id": "c", "partitionKey": {"paths": ["/pk"], "kind": "Hash"}}
    container = catalog.create_container(catalog.create_database("db"), properties, None)
    file.connection.executescript(
        "PRAGMA foreign_keys = ON; CREATE TABLE parent (id INTEGER PRIMARY KEY);"
        "CREATE TABLE child (parent INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);"
    )
    file.group_writes(is_alone=bool)
    yield file, container
    file.close()


def write(file: Database, container: Container, item_id: str) -> None:
    with writing(file, container) as writes:
        writes.create("E", read_document(f'{{"id":"{item_id}","pk":"p"}}'.encode()))


def ids_that_others_see(file: Database, container: Container) -> list[str]:
    other = file.open()
    found = [row[0] for row in other.execute(f"SELECT id FROM {container.table} ORDER BY id")]
    other.close()
    return found


async def test_nothing_is_answered_before_its_commit(grouped: tuple[Database, Container]) -> None:
    file, container = grouped
    write(file, container, "a")
    write(file, container, "b")
    assert file.group is not None
    assert ids_that_others_see(file, container) == []
    await file.group
    assert ids_that_others_see(file, container) == ["a", "b"]
    assert file.group is None


async def nothing_of_it_stays(file: Database, container: Container, group: asyncio.Future[None]) -> None:
    """The group fails, nothing of it is stored, and the next write is."""
    with pytest.raises(sqlite3.Error):
        await group
    assert ids_that_others_see(file, container) == []
    write(file, container, "next")
    assert file.group is not None
    await file.group
    assert ids_that_others_see(file, container) == ["next"]


async def test_a_commit_that_fails_fails_all_that_waited_for_it(grouped: tuple[Database, Container]) -> None:
    file, container = grouped
    write(file, container, "a")
    group = file.group
    assert group is not None
    file.connection.execute("INSERT INTO child VALUES (1)")  # whose parent is missing, which only the commit looks at
    await nothing_of_it_stays(file, container, group)


async def test_a_group_that_has_lost_its_transaction_takes_nothing_more(grouped: tuple[Database, Container]) -> None:
    file, container = grouped
    write(file, container, "a")
    group = file.group
    assert group is not None
    file.connection.execute("ROLLBACK")  # as SQLite does by itself where the disk is full
    with pytest.raises(sqlite3.OperationalError, match="was taken back"):
        write(file, container, "b")
    await nothing_of_it_stays(file, container, group)
