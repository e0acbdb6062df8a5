"""Queries and reads over several physical partitions, as the client and the gateway answer them together."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from azure.cosmos import CosmosClient as SyncClient
from azure.cosmos.aio import ContainerProxy
from azure.cosmos.exceptions import CosmosHttpResponseError

from local.cosmos.partition_keys import HASH, effective_partition_key
from local.cosmos.ranges import Ranges
from local.cosmos.signature import EMULATOR_KEY
from tests.local.cosmos.test_server import signed

KEYS = [f"person-{n}" for n in range(20)]


@pytest.fixture
async def spread(container: ContainerProxy) -> ContainerProxy:
    """Two items under each of twenty keys, which lie in both ranges."""
    for number, key in enumerate(KEYS):
        await container.execute_item_batch(
            [
                ("create", ({"id": f"a{number:02}", "pk": key, "n": number, "even": number % 2 == 0},)),
                ("create", ({"id": f"b{number:02}", "pk": key, "n": number + 100},)),
            ],
            key,
        )
    return container


async def query(container: ContainerProxy, text: str, **options: Any) -> list[Any]:
    return [row async for row in container.query_items(text, **options)]


def test_the_keys_lie_in_both_ranges() -> None:
    ranges = Ranges(2)
    assert {ranges.id_of(effective_partition_key([key], HASH)) for key in KEYS} == {"0", "1"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT VALUE COUNT(1) FROM c", [40]),
        ("SELECT VALUE SUM(c.n) FROM c WHERE c.n < 100", [190]),
        ("SELECT VALUE AVG(c.n) FROM c WHERE c.n < 100", [9.5]),
        ("SELECT VALUE MIN(c.n) FROM c", [0]),
        ("SELECT VALUE MAX(c.id) FROM c", ["b19"]),
        ("SELECT VALUE MAX(c.missing) FROM c", [None]),
        ("SELECT VALUE c.id FROM c WHERE c.n < 100 ORDER BY c.n DESC OFFSET 2 LIMIT 3", ["a17", "a16", "a15"]),
        ("SELECT TOP 3 VALUE c.id FROM c ORDER BY c.id", ["a00", "a01", "a02"]),
        ("SELECT c.id, c.n FROM c WHERE c.n IN (3, 4) ORDER BY c.n", [{"id": "a03", "n": 3}, {"id": "a04", "n": 4}]),
        ("SELECT DISTINCT VALUE c.even FROM c WHERE IS_DEFINED(c.even) ORDER BY c.even", [False, True]),
        ("SELECT VALUE c.id FROM c WHERE c.pk = 'person-7' ORDER BY c.id", ["a07", "b07"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_the_client_can_merge_is_answered(spread: ContainerProxy, text: str, expected: list[Any]) -> None:
    assert await query(spread, text) == expected


async def test_distinct_without_order_is_answered_as_a_set(spread: ContainerProxy) -> None:
    assert sorted(await query(spread, "SELECT DISTINCT VALUE c.even FROM c WHERE IS_DEFINED(c.even)")) == [False, True]


async def test_a_streamed_query_pages_through_both_ranges(spread: ContainerProxy) -> None:
    pages = spread.query_items("SELECT VALUE c.id FROM c WHERE c.n >= 5", max_item_count=6).by_page()
    sizes, found = [], []
    async for page in pages:
        found += [row async for row in page]
        sizes.append(len(found))
    assert len(found) == len(set(found)) == 35
    assert len(sizes) == 6


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SELECT c.even, COUNT(1) AS n FROM c GROUP BY c.even", "does not support: GroupBy"),
        ("SELECT COUNT(1) AS n, SUM(c.n) AS s FROM c", "does not support: MultipleAggregates"),
        ("SELECT COUNT(1) AS n FROM c", "VALUE <AggregateFunc>"),
        ("SELECT VALUE COUNT(1) FROM (SELECT DISTINCT VALUE c.even FROM c)", "does not support"),
    ],
    ids=lambda value: value,
)
async def test_what_the_client_cannot_merge_is_refused(spread: ContainerProxy, text: str, reason: str) -> None:
    with pytest.raises(CosmosHttpResponseError, match=reason):
        await query(spread, text)


async def test_order_over_types_that_differ_between_ranges_fails_as_in_production(spread: ContainerProxy) -> None:
    with pytest.raises(ValueError, match="Expected"):
        await query(spread, "SELECT * FROM c ORDER BY c.even")


async def test_a_query_without_key_must_say_that_it_crosses_partitions(
    spread: ContainerProxy, cosmos_server: Any
) -> None:
    with SyncClient(cosmos_server.url, EMULATOR_KEY) as client:
        same = client.get_database_client("tests").get_container_client(spread.id)
        with pytest.raises(CosmosHttpResponseError, match="Cross partition query is required"):
            list(same.query_items("SELECT * FROM c"))
        assert len(list(same.query_items("SELECT * FROM c WHERE c.pk = 'person-3'"))) == 2
        assert list(same.query_items("SELECT VALUE COUNT(1) FROM c", enable_cross_partition_query=True)) == [40]


async def test_feed_ranges_part_the_container(spread: ContainerProxy) -> None:
    parts = [
        await query(spread, "SELECT VALUE c.id FROM c WHERE c.n < 100 ORDER BY c.id OFFSET 0 LIMIT 50", feed_range=part)
        async for part in spread.read_feed_ranges()
    ]
    assert len(parts) == 2
    assert all(part == sorted(part) and part for part in parts)
    assert sorted(parts[0] + parts[1]) == [f"a{n:02}" for n in range(20)]


async def test_aggregates_and_pages_of_a_feed_range_are_its_own(spread: ContainerProxy) -> None:
    counts = []
    async for part in spread.read_feed_ranges():
        counts += await query(spread, "SELECT VALUE COUNT(1) FROM c", feed_range=part)
        found: list[str] = []
        token = None
        while True:
            pages = spread.query_items(
                "SELECT VALUE c.id FROM c ORDER BY c.n", feed_range=part, max_item_count=4
            ).by_page(token)
            async for page in pages:
                found += [row async for row in page]
                break
            token = pages.continuation_token
            if not token:
                break
        assert len(found) == len(set(found)) == counts[-1]
    assert sum(counts) == 40


async def test_the_feed_range_of_a_key_holds_its_items_only(spread: ContainerProxy) -> None:
    part = await spread.feed_range_from_partition_key("person-3")
    assert await query(spread, "SELECT VALUE c.id FROM c ORDER BY c.id", feed_range=part) == ["a03", "b03"]


@pytest.mark.parametrize("count", [1, 7, 20, 1500])
async def test_many_items_are_read_at_once_and_missing_ones_left_out(spread: ContainerProxy, count: int) -> None:
    wanted = [(f"{'ab'[n % 2]}{n % 20:02}", KEYS[n % 20]) for n in range(min(count, 20))]
    wanted += [(f"missing{n}", f"nobody{n}") for n in range(count - 20)]
    found = await spread.read_items(wanted)
    assert sorted(item["id"] for item in found) == sorted(name for name, _ in wanted if not name.startswith("missing"))


async def test_more_items_than_a_page_holds_are_read_at_once(container: ContainerProxy) -> None:
    wanted = [(f"{key}-{n}", key) for key in KEYS for n in range(100)]
    for key in KEYS:
        await container.execute_item_batch(
            [("create", ({"id": name, "pk": key},)) for name, of in wanted if of == key], key
        )
    assert sorted(item["id"] for item in await container.read_items(wanted)) == sorted(name for name, _ in wanted)


async def test_a_list_of_items_may_have_further_conditions(spread: ContainerProxy) -> None:
    listed = "(c.id = 'a01' AND c.pk = 'person-1') OR (c.id = 'b02' AND c.pk = 'person-2')"
    assert await query(spread, f"SELECT VALUE c.id FROM c WHERE ({listed}) AND c.n > 50") == ["b02"]
    assert await query(spread, f"SELECT VALUE c.id FROM c WHERE {listed} OR (c.id = 'a03' AND c.n = 0)") in (
        ["a01", "b02"],
        ["b02", "a01"],
    )


async def test_many_items_of_one_key_are_read_at_once(spread: ContainerProxy) -> None:
    found = await spread.read_items([("a03", "person-3"), ("b03", "person-3"), ("a04", "person-3")])
    assert [item["id"] for item in found] == ["a03", "b03"]


async def test_reading_all_items_reads_each_once(spread: ContainerProxy) -> None:
    pages = spread.read_all_items(max_item_count=7).by_page()
    found = [row["id"] async for page in pages async for row in page]
    assert len(found) == len(set(found)) == 40


async def test_a_container_that_is_dropped_while_it_is_read_is_not_found(
    cosmos_server: Any, database: Any, make_container: Any
) -> None:
    container = await make_container()
    for start in range(0, 2000, 100):
        items = [{"id": f"{n:04}", "pk": "p", "text": "x" * 500} for n in range(start, start + 100)]
        await container.execute_item_batch([("create", (item,)) for item in items], "p")

    path = f"/dbs/{database.id}/colls/{container.id}/docs"
    scan = {
        "content-type": "application/query+json",
        "x-ms-documentdb-isquery": "True",
        "x-ms-documentdb-query-enablecrosspartition": "True",
    }
    text = json.dumps({"query": "SELECT * FROM c WHERE CONTAINS(UPPER(c.text), 'Y')"})
    async with httpx.AsyncClient(base_url=cosmos_server.url, trust_env=False) as http:
        reads = [
            asyncio.create_task(request)
            for _ in range(10)
            for request in (
                http.post(path, headers=signed("post", path, scan), content=text),
                http.get(path, headers=signed("get", path, {"a-im": "Incremental Feed"})),
            )
        ]
        await asyncio.sleep(0.1)
        await database.delete_container(container)
        statuses = {answer.status_code for answer in await asyncio.gather(*reads)}
    assert statuses <= {200, 404}
