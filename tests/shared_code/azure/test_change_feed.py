"""Following a change feed: at least once, from where the last run stopped, range by range."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.cosmos.signature import EMULATOR_KEY
from local.stack.ports import free_ports
from shared_code.azure.change_feed import follow, followed_until
from shared_code.azure.cosmos import Item
from tests.conftest import server

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy, DatabaseProxy


class Seen:
    """Keeps the ids that were handed on, page by page; fails on page `fails_at`."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.pages: list[list[str]] = []
        self.fails_at = fails_at

    async def __call__(self, items: list[Item]) -> None:
        if len(self.pages) == self.fails_at:
            raise ConnectionError("the handler died")
        self.pages.append([item["id"] for item in items])

    @property
    def ids(self) -> list[str]:
        return sorted(one for page in self.pages for one in page)


@pytest.fixture
def records(database: DatabaseProxy) -> ContainerProxy:
    return database.get_container_client("records")


@pytest.fixture
def leases(database: DatabaseProxy) -> ContainerProxy:
    return database.get_container_client("leases")


async def put(records: ContainerProxy, *numbers: int, **fields: Any) -> list[str]:
    items = [{"id": f"Basic:{number}", "pk": f"pk{number}", "kind": "current", **fields} for number in numbers]
    for item in items:
        await records.upsert_item(item)
    return sorted(item["id"] for item in items)


async def test_the_first_run_begins_at_the_beginning_and_the_next_goes_on_from_there(
    records: ContainerProxy, leases: ContainerProxy
) -> None:
    first, second, third = Seen(), Seen(), Seen()
    old = await put(records, *range(30))
    await follow(records, leases, "test", first)
    new = await put(records, 3, 77)
    await follow(records, leases, "test", second)
    nothing = await follow(records, leases, "test", third)
    assert first.ids == old
    assert second.ids == new
    assert third.pages == []
    assert nothing.items == 0


async def test_consumers_do_not_take_changes_from_each_other(records: ContainerProxy, leases: ContainerProxy) -> None:
    ids = await put(records, *range(5))
    one, other = Seen(), Seen()
    await follow(records, leases, "one", one)
    await follow(records, leases, "other", other)
    assert one.ids == other.ids == ids


async def test_the_container_is_read_in_its_feed_ranges_and_in_pages(
    records: ContainerProxy, leases: ContainerProxy
) -> None:
    ids = await put(records, *range(40))
    seen = Seen()
    followed = await follow(records, leases, "test", seen, page_items=6)
    plan = await leases.read_item("feed:test", "feed:test")
    assert len(plan["ranges"]) >= 2
    assert seen.ids == ids
    assert followed.items == 40
    assert max(len(page) for page in seen.pages) <= 6
    for number in range(len(plan["ranges"])):
        assert (await leases.read_item(f"feed:test:{number}", f"feed:test:{number}"))["token"]


async def test_a_page_whose_handler_died_comes_again_and_what_was_handled_before_it_does_not(
    records: ContainerProxy, leases: ContainerProxy
) -> None:
    ids = await put(records, *range(40))
    dying, heir = Seen(fails_at=3), Seen()
    with pytest.raises(ConnectionError):
        await follow(records, leases, "test", dying, page_items=4)
    await follow(records, leases, "test", heir, page_items=4)
    assert len(dying.pages) == 3
    assert sorted(dying.ids + heir.ids) == ids


async def test_only_current_items_without_a_mark_are_handed_on(records: ContainerProxy, leases: ContainerProxy) -> None:
    seen, later = Seen(), Seen()
    await put(records, 1, kind="past")
    await put(records, 2, kind="staged", tx="t1")
    await put(records, 3, tx="t1")
    deleted = await put(records, 4, deleted=True)
    await follow(records, leases, "test", seen)
    promoted = await put(records, 2, 3)
    await follow(records, leases, "test", later)
    assert seen.ids == deleted
    assert later.ids == promoted


async def test_a_run_ends_when_its_time_is_over_and_says_that_it_is_behind(
    records: ContainerProxy, leases: ContainerProxy
) -> None:
    ids = await put(records, *range(30))
    seen = Seen()
    out_of_time = await follow(records, leases, "test", seen, page_items=3, seconds=0)
    assert out_of_time.as_of is None
    assert 0 < out_of_time.items < 30
    assert await followed_until(leases, "test") is None
    await follow(records, leases, "test", seen)
    assert seen.ids == ids


async def test_a_complete_run_tells_until_when_it_followed(records: ContainerProxy, leases: ContainerProxy) -> None:
    moment = datetime(2024, 5, 1, 12, tzinfo=UTC)
    await put(records, 1)
    followed = await follow(records, leases, "test", Seen(), now=lambda: moment)
    assert followed.as_of == moment
    assert await followed_until(leases, "test") == moment


async def test_two_runners_at_once_lose_nothing_and_both_end(records: ContainerProxy, leases: ContainerProxy) -> None:
    ids = await put(records, *range(60))
    one, other, after = Seen(), Seen(), Seen()
    await asyncio.gather(
        follow(records, leases, "test", one, page_items=5), follow(records, leases, "test", other, page_items=5)
    )
    await follow(records, leases, "test", after)
    assert set(one.ids) | set(other.ids) | set(after.ids) == set(ids)


async def test_a_range_that_has_split_since_is_followed_on_from_where_it_was(tmp_path: Path) -> None:
    from azure.cosmos import PartitionKey

    before, after, later = Seen(), Seen(), Seen()
    async with database_of(tmp_path, ranges=1) as database:
        records = await database.create_container("records", PartitionKey("/pk"))
        leases = await database.create_container("leases", PartitionKey("/id"))
        old = await put(records, *range(20))
        await follow(records, leases, "test", before)
    async with database_of(tmp_path, ranges=3) as database:
        records, leases = map(database.get_container_client, ("records", "leases"))
        new = await put(records, *range(10, 40))
        followed = await follow(records, leases, "test", after, page_items=4)
        await follow(records, leases, "test", later)
    assert before.ids == old
    assert after.ids == new
    assert followed.as_of is not None
    assert later.pages == []


@asynccontextmanager
async def database_of(data: Path, ranges: int) -> AsyncIterator[DatabaseProxy]:
    """A database in a server of its own that keeps its data in `data`, with so many feed ranges."""
    from azure.cosmos.aio import CosmosClient

    (port,) = free_ports(1)
    command = [sys.executable, "-m", "local.cosmos", "--port", str(port), "--data", str(data), "--end-with-parent"]
    with server([*command, "--ranges", str(ranges)], data / f"{ranges}.log"):
        async with CosmosClient(f"http://127.0.0.1:{port}", credential=EMULATOR_KEY) as client:
            yield await client.create_database_if_not_exists("test")
