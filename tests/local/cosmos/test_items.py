"""Operations on one item through the asynchronous client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.cosmos.aio import ContainerProxy
from azure.cosmos.exceptions import (
    CosmosAccessConditionFailedError,
    CosmosHttpResponseError,
    CosmosResourceExistsError,
    CosmosResourceNotFoundError,
)
from azure.cosmos.partition_key import NonePartitionKeyValue


async def test_an_item_is_read_back_as_it_was_created_with_system_fields(container: ContainerProxy) -> None:
    sent = {"id": "a", "pk": "p", "text": 'ä 🙂 "quoted"', "deep": {"list": [1, 2.5, None, True]}}
    await container.create_item(sent)
    read = await container.read_item("a", "p")
    assert {name: read[name] for name in sent} == sent
    assert set(read) - set(sent) == {"_rid", "_self", "_etag", "_attachments", "_ts"}


@pytest.mark.parametrize("item_id", ["a b", "a%20b", "a+b", "é|ü:🙂", "Observation:x-1", "a&b=c", '"'])
async def test_any_id_that_the_service_takes_is_found_again(container: ContainerProxy, item_id: str) -> None:
    await container.create_item({"id": item_id, "pk": "p"})
    assert (await container.read_item(item_id, "p"))["id"] == item_id
    await container.replace_item(item_id, {"id": item_id, "pk": "p", "n": 1})
    await container.delete_item(item_id, "p")
    with pytest.raises(CosmosResourceNotFoundError):
        await container.read_item(item_id, "p")


async def test_the_same_id_under_two_keys_is_two_items(container: ContainerProxy) -> None:
    await container.create_item({"id": "a", "pk": "p", "n": 1})
    await container.create_item({"id": "a", "pk": "q", "n": 2})
    assert (await container.read_item("a", "q"))["n"] == 2


async def test_creating_an_item_that_exists_is_a_conflict(container: ContainerProxy) -> None:
    await container.create_item({"id": "a", "pk": "p"})
    with pytest.raises(CosmosResourceExistsError):
        await container.create_item({"id": "a", "pk": "p"})


async def test_rid_stays_and_etag_changes_with_every_write(container: ContainerProxy) -> None:
    versions = [
        await container.create_item({"id": "a", "pk": "p"}),
        await container.replace_item("a", {"id": "a", "pk": "p", "n": 1}),
        await container.upsert_item({"id": "a", "pk": "p", "n": 2}),
        await container.upsert_item(await container.read_item("a", "p")),
        await container.patch_item("a", "p", [{"op": "incr", "path": "/n", "value": 1}]),
    ]
    assert len({version["_rid"] for version in versions}) == 1
    assert len({version["_etag"] for version in versions}) == len(versions)


async def test_a_read_item_can_be_written_back_without_its_old_system_fields(container: ContainerProxy) -> None:
    await container.create_item({"id": "a", "pk": "p"})
    item = await container.read_item("a", "p")
    item["n"] = 1
    written = await container.replace_item("a", item)
    assert written["_etag"] != item["_etag"]
    assert await container.read_item("a", "p") == written


@pytest.mark.parametrize("operation", ["replace", "upsert", "delete", "patch"])
async def test_a_write_under_a_stale_etag_changes_nothing(container: ContainerProxy, operation: str) -> None:
    first = await container.create_item({"id": "a", "pk": "p", "n": 0})
    current = await container.replace_item("a", {"id": "a", "pk": "p", "n": 1})
    stale: dict[str, Any] = {"etag": first["_etag"], "match_condition": MatchConditions.IfNotModified}
    changed = {"id": "a", "pk": "p", "n": 2}
    calls: dict[str, Callable[[], Awaitable[Any]]] = {
        "replace": lambda: container.replace_item("a", changed, **stale),
        "upsert": lambda: container.upsert_item(changed, **stale),
        "delete": lambda: container.delete_item("a", "p", **stale),
        "patch": lambda: container.patch_item("a", "p", [{"op": "set", "path": "/n", "value": 2}], **stale),
    }
    with pytest.raises(CosmosAccessConditionFailedError):
        await calls[operation]()
    assert await container.read_item("a", "p") == current


async def test_a_write_under_the_current_etag_goes_through(container: ContainerProxy) -> None:
    first = await container.create_item({"id": "a", "pk": "p"})
    await container.replace_item(
        "a", {"id": "a", "pk": "p", "n": 1}, etag=first["_etag"], match_condition=MatchConditions.IfNotModified
    )
    assert (await container.read_item("a", "p"))["n"] == 1


async def test_reading_an_unchanged_item_by_etag_is_not_modified(container: ContainerProxy) -> None:
    item = await container.create_item({"id": "a", "pk": "p"})
    unchanged = {"etag": item["_etag"], "match_condition": MatchConditions.IfModified}
    assert dict(await container.read_item("a", "p", **unchanged)) == {}
    await container.replace_item("a", {"id": "a", "pk": "p", "n": 1})
    assert (await container.read_item("a", "p", **unchanged))["n"] == 1


async def test_a_condition_for_reads_is_refused_on_a_write(container: ContainerProxy) -> None:
    with pytest.raises(CosmosHttpResponseError) as raised:
        await container.upsert_item({"id": "a", "pk": "p"}, match_condition=MatchConditions.IfMissing)
    assert raised.value.status_code == 400


async def test_missing_items_are_not_found(container: ContainerProxy) -> None:
    for call in (
        container.read_item("a", "p"),
        container.replace_item("a", {"id": "a", "pk": "p"}),
        container.delete_item("a", "p"),
        container.patch_item("a", "p", [{"op": "set", "path": "/n", "value": 1}]),
    ):
        with pytest.raises(CosmosResourceNotFoundError) as raised:
            await call
        assert raised.value.sub_status == 0


@pytest.mark.parametrize(
    ("key", "fields"),
    [
        ("text", {"pk": "text"}),
        (5, {"pk": 5}),
        (5.5, {"pk": 5.5}),
        (True, {"pk": True}),
        (None, {"pk": None}),
        (NonePartitionKeyValue, {}),
    ],
    ids=["string", "integer", "double", "boolean", "null", "missing"],
)
async def test_a_key_may_be_any_primitive_or_missing(
    container: ContainerProxy, key: Any, fields: dict[str, Any]
) -> None:
    await container.create_item({"id": "a", **fields})
    assert (await container.read_item("a", key))["id"] == "a"
    others = [other for other in ("x", 6, False) if other != key]
    for other in others:
        with pytest.raises(CosmosResourceNotFoundError):
            await container.read_item("a", other)


async def test_null_and_a_missing_key_are_different_keys(container: ContainerProxy) -> None:
    await container.create_item({"id": "a", "pk": None})
    with pytest.raises(CosmosResourceNotFoundError):
        await container.read_item("a", NonePartitionKeyValue)


async def test_a_write_without_response_answers_no_item(container: ContainerProxy) -> None:
    answer = await container.create_item({"id": "a", "pk": "p"}, no_response=True)
    assert dict(answer) == {}
    assert (await container.read_item("a", "p"))["id"] == "a"


async def test_every_answer_has_its_charge_session_and_range(container: ContainerProxy) -> None:
    headers = (await container.create_item({"id": "a", "pk": "p"})).get_response_headers()
    assert float(headers["x-ms-request-charge"]) == pytest.approx(5.4)
    range_id, _, rest = headers["x-ms-session-token"].partition(":")
    assert rest == "-1#1"
    assert headers["x-ms-documentdb-partitionkeyrangeid"] == range_id
    assert headers["etag"] == (await container.read_item("a", "p"))["_etag"]
    read = (await container.read_item("a", "p")).get_response_headers()
    assert float(read["x-ms-request-charge"]) == 1


async def test_deleting_a_partition_key_leaves_the_others(container: ContainerProxy) -> None:
    for number in range(3):
        await container.create_item({"id": f"{number}", "pk": "p"})
    await container.create_item({"id": "0", "pk": "q"})
    await container.delete_all_items_by_partition_key("p")
    assert [item["pk"] async for item in container.read_all_items()] == ["q"]


@pytest.mark.parametrize(
    ("item", "status"),
    [
        ({"id": "", "pk": "p"}, 400),
        ({"id": 5, "pk": "p"}, 400),
        ({"id": "x" * 1024, "pk": "p"}, 400),
        ({"id": "a", "pk": "p", "ttl": 0}, 400),
        ({"id": "a", "pk": "p", "ttl": -10}, 400),
        ({"id": "a", "pk": "p", "ttl": None}, 400),
        ({"id": "a", "pk": {"no": "primitive"}}, 400),
        ({"id": "a", "pk": "p", "n": float("nan")}, 400),
        ({"id": "a", "pk": "p", "text": "x" * 2_100_000}, 413),
    ],
    ids=["empty id", "number as id", "long id", "ttl 0", "ttl -10", "ttl null", "object as key", "NaN", "too large"],
)
async def test_what_is_no_item_is_refused(container: ContainerProxy, item: dict[str, Any], status: int) -> None:
    with pytest.raises((CosmosHttpResponseError, TypeError)) as raised:
        await container.upsert_item(item)
    if isinstance(raised.value, CosmosHttpResponseError):
        assert raised.value.status_code == status


async def test_nesting_beyond_128_levels_is_refused(container: ContainerProxy) -> None:
    deep: list[Any] = []
    for _ in range(126):
        deep = [deep]
    await container.create_item({"id": "fits", "pk": "p", "deep": deep})
    with pytest.raises(CosmosHttpResponseError) as raised:
        await container.create_item({"id": "deeper", "pk": "p", "deep": [deep]})
    assert raised.value.status_code == 400


async def test_decimals_keep_their_digits_in_the_stored_text(container: ContainerProxy) -> None:
    await container.create_item({"id": "a", "pk": "p", "resource": '{"value":72.50}'})
    assert (await container.read_item("a", "p"))["resource"] == '{"value":72.50}'


@pytest.mark.parametrize("trigger", [{"pre_trigger_include": "checked"}, {"post_trigger_include": "counted"}])
async def test_triggers_are_refused_on_every_write(container: ContainerProxy, trigger: dict[str, str]) -> None:
    item = {"id": "a", "pk": "p"}
    for write in (
        container.create_item(item, **trigger),
        container.upsert_item(item, **trigger),
        container.replace_item("a", item, **trigger),
        container.delete_item("a", "p", **trigger),
    ):
        with pytest.raises(CosmosHttpResponseError, match="no triggers") as raised:
            await write
        assert raised.value.status_code == 400


async def test_a_partition_key_has_at_most_2_kb(container: ContainerProxy) -> None:
    longest = "é" * 1024
    await container.create_item({"id": "a", "pk": longest})
    assert (await container.read_item("a", longest))["pk"] == longest
    with pytest.raises(CosmosHttpResponseError, match="2048 bytes") as raised:
        await container.create_item({"id": "a", "pk": longest + "x"})
    assert raised.value.status_code == 400
