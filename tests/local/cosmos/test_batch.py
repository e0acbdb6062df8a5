"""The transactional batch: all or nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from azure.cosmos.aio import ContainerProxy
from azure.cosmos.exceptions import CosmosBatchOperationError, CosmosHttpResponseError

MakeContainer = Callable[..., Awaitable[ContainerProxy]]


def item(name: str, key: str = "p", **fields: Any) -> dict[str, Any]:
    return {"id": name, "pk": key, **fields}


async def names(container: ContainerProxy) -> list[str]:
    return sorted([one["id"] async for one in container.read_all_items()])


async def test_all_operations_answer_in_order(container: ContainerProxy) -> None:
    await container.create_item(item("old"))
    await container.create_item(item("gone"))
    results = await container.execute_item_batch(
        [
            ("create", (item("new", n=1),)),
            ("read", ("new",)),
            ("patch", ("new", [{"op": "incr", "path": "/n", "value": 1}])),
            ("upsert", (item("old", n=2),)),
            ("replace", ("old", item("old", n=3))),
            ("delete", ("gone",)),
        ],
        "p",
    )
    assert [result["statusCode"] for result in results] == [201, 200, 200, 200, 200, 204]
    assert [result.get("resourceBody", {}).get("n") for result in results] == [1, 1, 2, 2, 3, None]
    assert results[2]["eTag"] == (await container.read_item("new", "p"))["_etag"]
    assert await names(container) == ["new", "old"]


async def test_one_failure_undoes_everything(container: ContainerProxy) -> None:
    await container.create_item(item("there"))
    with pytest.raises(CosmosBatchOperationError) as raised:
        await container.execute_item_batch(
            [("create", (item("a"),)), ("create", (item("there"),)), ("create", (item("b"),))], "p"
        )
    assert raised.value.error_index == 1
    assert [result["statusCode"] for result in raised.value.operation_responses] == [424, 409, 424]
    assert await names(container) == ["there"]


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        (("replace", ("missing", item("missing"))), 404),
        (("delete", ("missing",)), 404),
        (("read", ("missing",)), 404),
        (("create", (item("a", key="q"),)), 400),
        (("create", ({"id": "a"},)), 400),
        (("create", (item("a/b"),)), 400),
        (("create", (item("a#b"),)), 400),
        (("replace", ("there", item("there")), {"if_match_etag": '"stale"'}), 412),
        (("patch", ("there", [{"op": "remove", "path": "/no"}])), 400),
    ],
    ids=["replace", "delete", "read", "other key", "no key", "slash", "hash sign", "stale etag", "patch"],
)
async def test_each_operation_fails_as_it_would_alone(
    container: ContainerProxy, operation: tuple[Any, ...], status: int
) -> None:
    await container.create_item(item("there"))
    with pytest.raises(CosmosBatchOperationError) as raised:
        await container.execute_item_batch([("create", (item("new"),)), operation], "p")
    assert [result["statusCode"] for result in raised.value.operation_responses] == [424, status]
    assert await names(container) == ["there"]


@pytest.mark.parametrize("place", [0, 5, 9, 11, 24])
async def test_the_creation_that_fails_is_named_among_many(container: ContainerProxy, place: int) -> None:
    await container.create_item(item("there"))
    operations: list[Any] = [("create", (item(f"new{number}"),)) for number in range(25)]
    operations[place] = ("create", (item("there"),))
    with pytest.raises(CosmosBatchOperationError) as raised:
        await container.execute_item_batch(operations, "p")
    assert raised.value.error_index == place
    assert raised.value.operation_responses[place]["statusCode"] == 409
    assert await names(container) == ["there"]


KINDS: dict[str, dict[str, Any]] = {
    "time to live": {"default_ttl": 1000},
    "unique keys": {"unique_key_policy": {"uniqueKeys": [{"paths": ["/n"]}]}},
    "all versions": {"change_feed_policy": {"retentionDuration": 10}},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", [None, 0, 9, 10, 20])
async def test_a_batch_of_creations_is_whole_in_containers_of_every_kind(
    make_container: MakeContainer, kind: str, place: int | None
) -> None:
    container = await make_container(**KINDS[kind])
    await container.create_item(item("there", n=-1))
    operations: list[Any] = [("create", (item(f"new{number:02}", n=number),)) for number in range(21)]
    if place is None:
        await container.execute_item_batch(operations, "p")
        assert await names(container) == [*(f"new{number:02}" for number in range(21)), "there"]
        return
    operations[place] = ("create", (item("there", n=place),))
    with pytest.raises(CosmosBatchOperationError) as raised:
        await container.execute_item_batch(operations, "p")
    assert raised.value.error_index == place
    assert await names(container) == ["there"]


@pytest.mark.parametrize(
    "after",
    [
        ("create", (item("a/b"),)),
        ("replace", ("missing", item("missing"))),
        ("delete", ("there",)),
        ("read", ("there",)),
    ],
)
async def test_a_creation_that_fails_comes_before_what_fails_after_it(container: ContainerProxy, after: Any) -> None:
    await container.create_item(item("there"))
    operations: list[Any] = [("create", (item("new"),)), ("create", (item("there"),)), after]
    with pytest.raises(CosmosBatchOperationError) as raised:
        await container.execute_item_batch(operations, "p")
    assert [result["statusCode"] for result in raised.value.operation_responses] == [424, 409, 424]
    assert await names(container) == ["there"]


async def test_conditions_on_current_etags_hold(container: ContainerProxy) -> None:
    there = await container.create_item(item("there"))
    await container.execute_item_batch(
        [("replace", ("there", item("there", n=1)), {"if_match_etag": there["_etag"]}), ("create", (item("next"),))],
        "p",
    )
    assert (await container.read_item("there", "p"))["n"] == 1


async def test_a_later_operation_sees_an_earlier_one(container: ContainerProxy) -> None:
    results = await container.execute_item_batch(
        [("create", (item("a"),)), ("delete", ("a",)), ("create", (item("a", n=2),))], "p"
    )
    assert [result["statusCode"] for result in results] == [201, 204, 201]
    assert (await container.read_item("a", "p"))["n"] == 2


async def test_one_batch_is_one_step_of_the_log(container: ContainerProxy) -> None:
    await container.execute_item_batch([("create", (item(f"{n}"),)) for n in range(100)], "p")
    changes = [one async for one in container.query_items_change_feed(partition_key="p", start_time="Beginning")]
    assert len({one["_lsn"] for one in changes}) == 1
    assert len({one["_ts"] for one in changes}) == 1
    assert len({one["_etag"] for one in changes}) == 100


@pytest.mark.parametrize(
    ("operations", "status", "message"),
    [
        ([], 400, "no operations"),
        ([("create", (item(f"{n}"),)) for n in range(101)], 400, "more operations than what is supported"),
        ([("create", (item(f"{n}", text="x" * 150_000),)) for n in range(15)], 413, "too large"),
    ],
    ids=["none", "101", "above 2 MB"],
)
async def test_a_batch_beyond_the_limits_is_refused_whole(
    container: ContainerProxy, operations: list[Any], status: int, message: str
) -> None:
    with pytest.raises(CosmosHttpResponseError, match=message) as raised:
        await container.execute_item_batch(operations, "p")
    assert raised.value.status_code == status
    assert await names(container) == []
