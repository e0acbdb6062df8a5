"""Items that expire."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from azure.cosmos.aio import ContainerProxy
from azure.cosmos.exceptions import CosmosResourceNotFoundError

MakeContainer = Callable[..., Awaitable[ContainerProxy]]


async def until_gone(container: ContainerProxy, name: str) -> None:
    """Returns when the item is gone; a second of `_ts` is the clock of expiry."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            await container.read_item(name, "p")
        except CosmosResourceNotFoundError:
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"{name} has not expired")


async def test_an_expired_item_is_gone_on_every_way_and_may_be_made_anew(make_container: MakeContainer) -> None:
    container = await make_container(default_ttl=-1)
    first = await container.create_item({"id": "short", "pk": "p", "ttl": 1})
    await container.create_item({"id": "long", "pk": "p", "ttl": 1000})
    await container.create_item({"id": "ever", "pk": "p"})
    await until_gone(container, "short")
    assert [item["id"] async for item in container.query_items("SELECT * FROM c", partition_key="p")] == [
        "ever",
        "long",
    ]
    assert [item["id"] async for item in container.read_all_items()] == ["ever", "long"]
    feed = container.query_items_change_feed(partition_key="p", start_time="Beginning")
    assert [item["id"] async for item in feed] == ["long", "ever"]
    with pytest.raises(CosmosResourceNotFoundError):
        await container.delete_item("short", "p")
    second = await container.create_item({"id": "short", "pk": "p"})
    assert second["_rid"] != first["_rid"]


async def test_the_default_of_the_container_holds_unless_the_item_says_otherwise(make_container: MakeContainer) -> None:
    container = await make_container(default_ttl=1)
    await container.create_item({"id": "default", "pk": "p"})
    await container.create_item({"id": "ever", "pk": "p", "ttl": -1})
    await until_gone(container, "default")
    assert (await container.read_item("ever", "p"))["id"] == "ever"


async def test_nothing_expires_in_a_container_without_a_default(container: ContainerProxy) -> None:
    await container.create_item({"id": "a", "pk": "p", "ttl": 1})
    await asyncio.sleep(1.1)  # time itself is the condition: nothing must happen
    assert (await container.read_item("a", "p"))["ttl"] == 1


async def test_an_update_begins_the_time_anew(make_container: MakeContainer) -> None:
    container = await make_container(default_ttl=-1)
    await container.create_item({"id": "a", "pk": "p", "ttl": 1})
    await container.upsert_item({"id": "a", "pk": "p", "ttl": 1000})
    await container.create_item({"id": "b", "pk": "p", "ttl": 1})
    await until_gone(container, "b")
    assert (await container.read_item("a", "p"))["ttl"] == 1000
