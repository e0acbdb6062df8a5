"""The change feed in its latest-version mode."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.cosmos.aio import ContainerProxy
from azure.cosmos.exceptions import CosmosHttpResponseError


async def changes(container: ContainerProxy, **options: Any) -> tuple[list[dict[str, Any]], str]:
    """Everything there is now, and the token from which to go on."""
    feed = container.query_items_change_feed(**options)
    found = [item async for item in feed]
    return found, container.client_connection.last_response_headers["etag"]


async def write(container: ContainerProxy, *names: str, key: str = "p", **fields: Any) -> None:
    for name in names:
        await container.upsert_item({"id": name, "pk": key, **fields})


async def test_each_item_shows_once_at_its_latest_change(container: ContainerProxy) -> None:
    await write(container, "a", "b", "c")
    await write(container, "a", n=1)
    found, _ = await changes(container, start_time="Beginning")
    assert [(item["id"], item.get("n")) for item in found] == [("b", None), ("c", None), ("a", 1)]
    assert [item["_lsn"] for item in found] == [2, 3, 4]


async def test_a_token_goes_on_where_the_last_page_ended(container: ContainerProxy) -> None:
    await write(container, "a", "b")
    found, token = await changes(container, start_time="Beginning")
    assert len(found) == 2
    found, token = await changes(container, continuation=token)
    assert found == []
    await write(container, "b", "c")
    found, token = await changes(container, continuation=token)
    assert [item["id"] for item in found] == ["b", "c"]


async def test_deleted_items_do_not_show(container: ContainerProxy) -> None:
    await write(container, "a", "b")
    await container.delete_item("a", "p")
    found, _ = await changes(container, start_time="Beginning")
    assert [item["id"] for item in found] == ["b"]


async def test_from_now_on_shows_only_what_comes_later(container: ContainerProxy) -> None:
    await write(container, "a")
    found, token = await changes(container, start_time="Now")
    assert found == []
    await write(container, "b")
    found, _ = await changes(container, continuation=token)
    assert [item["id"] for item in found] == ["b"]


async def test_from_a_time_on_shows_what_was_written_since(container: ContainerProxy) -> None:
    await write(container, "a")
    found, _ = await changes(container, start_time=datetime.now(UTC) - timedelta(minutes=1))
    assert [item["id"] for item in found] == ["a"]
    found, _ = await changes(container, start_time=datetime.now(UTC) + timedelta(minutes=1))
    assert found == []


async def test_a_feed_range_shows_its_own_changes_and_its_token_moves_on(container: ContainerProxy) -> None:
    keys = [f"person-{n}" for n in range(10)]
    for key in keys:
        await write(container, "a", key=key)
    parts = [part async for part in container.read_feed_ranges()]
    seen: list[str] = []
    tokens = []
    for part in parts:
        found, token = await changes(container, feed_range=part, start_time="Beginning")
        seen += [item["pk"] for item in found]
        tokens.append(token)
    assert sorted(seen) == sorted(keys)
    await write(container, "b", key="person-1")
    again = [await changes(container, continuation=token) for token in tokens]
    assert sorted(len(found) for found, _ in again) == [0, 1]


async def test_one_key_shows_its_own_changes(container: ContainerProxy) -> None:
    await write(container, "a", key="p")
    await write(container, "b", key="q")
    found, token = await changes(container, partition_key="q", start_time="Beginning")
    assert [item["id"] for item in found] == ["b"]
    await write(container, "c", key="p")
    assert (await changes(container, continuation=token))[0] == []


async def test_pages_are_of_the_size_asked_for_but_never_split_a_batch(container: ContainerProxy) -> None:
    for start in range(3):
        await container.execute_item_batch([("create", ({"id": f"{start}-{n}", "pk": "p"},)) for n in range(10)], "p")
    pages = container.query_items_change_feed(partition_key="p", start_time="Beginning", max_item_count=4).by_page()
    assert [len([item async for item in page]) async for page in pages] == [10, 10, 10]
    await write(container, *[f"single-{n}" for n in range(6)])
    pages = container.query_items_change_feed(partition_key="p", start_time="Beginning", max_item_count=4).by_page()
    assert [len([item async for item in page]) async for page in pages] == [10, 10, 10, 4, 2]


async def test_a_container_made_again_refuses_the_tokens_of_the_old_one(database: Any) -> None:
    from azure.cosmos import PartitionKey

    first = await database.create_container("again", PartitionKey("/pk"))
    await write(first, "a")
    _, token = await changes(first, start_time="Beginning")
    await database.delete_container("again")
    second = await database.create_container("again", PartitionKey("/pk"))
    with pytest.raises((ValueError, CosmosHttpResponseError)):
        await changes(second, continuation=token)


async def test_nothing_is_missed_or_seen_twice_while_others_write(container: ContainerProxy) -> None:
    async def writer(number: int) -> None:
        for step in range(20):
            await write(container, f"{number}-{step}", key=f"k{number}")

    writing = asyncio.gather(*[writer(number) for number in range(4)])
    seen: list[str] = []
    token = None
    while not writing.done() or len(seen) < 80:
        options = {"start_time": "Beginning"} if token is None else {"continuation": token}
        found, token = await changes(container, **options)
        seen += [item["id"] for item in found]
        if writing.done() and not found:
            break
    await writing
    assert len(seen) == len(set(seen)) == 80


async def test_all_versions_and_deletes_show_every_step(make_container: Any) -> None:
    container = await make_container(change_feed_policy={"retentionDuration": 10}, default_ttl=-1)
    await write(container, "before")
    mode = "AllVersionsAndDeletes"
    _, token = await changes(container, mode=mode, start_time="Now")
    await container.create_item({"id": "a", "pk": "p", "n": 1})
    await container.replace_item("a", {"id": "a", "pk": "p", "n": 2})
    await container.delete_item("a", "p")
    found, token = await changes(container, mode=mode, continuation=token)
    assert [step["metadata"]["operationType"] for step in found] == ["create", "replace", "delete"]
    assert [step["current"].get("n") for step in found] == [1, 2, None]
    assert [step.get("previous", {}).get("n") for step in found] == [None, 1, 2]
    assert found[1]["metadata"]["previousImageLSN"] == found[0]["metadata"]["lsn"]
    assert (await changes(container, mode=mode, continuation=token))[0] == []


async def test_a_page_of_all_versions_has_no_more_bytes_than_another(make_container: Any) -> None:
    container = await make_container(change_feed_policy={"retentionDuration": 10})
    mode = "AllVersionsAndDeletes"
    _, token = await changes(container, mode=mode, start_time="Now")
    await write(container, *"abcdefghijkl", text="x" * 1_000_000)
    pages = container.query_items_change_feed(mode=mode, continuation=token).by_page()
    sizes = [len([step async for step in page]) async for page in pages]
    assert sum(sizes) == 12
    assert max(sizes) <= 5


async def test_all_versions_are_refused_where_the_container_keeps_none(container: ContainerProxy) -> None:
    with pytest.raises(CosmosHttpResponseError, match="does not keep all versions"):
        await changes(container, mode="AllVersionsAndDeletes", start_time="Now")
