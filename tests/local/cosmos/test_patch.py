"""Partial updates, over the wire and as a function of values."""

from __future__ import annotations

from typing import Any

import pytest
from azure.cosmos.aio import ContainerProxy
from azure.cosmos.exceptions import CosmosAccessConditionFailedError, CosmosHttpResponseError
from msgspec import json

from local.cosmos.errors import CosmosError
from local.cosmos.patch import patched as apply_patch
from local.cosmos.patch import read_patch

KEY_PATHS = (("pk",),)


def patched(item: dict[str, Any], *operations: dict[str, Any]) -> dict[str, Any]:
    return apply_patch(item, read_patch(json.encode({"operations": operations})), KEY_PATHS)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "add", "path": "/new", "value": 1}, {"a": {"b": [1, 2]}, "n": 1, "new": 1}),
        ({"op": "add", "path": "/a/b/0", "value": 9}, {"a": {"b": [9, 1, 2]}, "n": 1}),
        ({"op": "add", "path": "/a/b/-", "value": 9}, {"a": {"b": [1, 2, 9]}, "n": 1}),
        ({"op": "set", "path": "/a/b/0", "value": 9}, {"a": {"b": [9, 2]}, "n": 1}),
        ({"op": "set", "path": "/a/c", "value": {"x": 1}}, {"a": {"b": [1, 2], "c": {"x": 1}}, "n": 1}),
        ({"op": "replace", "path": "/n", "value": None}, {"a": {"b": [1, 2]}, "n": None}),
        ({"op": "remove", "path": "/a/b/1"}, {"a": {"b": [1]}, "n": 1}),
        ({"op": "remove", "path": "/n"}, {"a": {"b": [1, 2]}}),
        ({"op": "incr", "path": "/n", "value": 1.5}, {"a": {"b": [1, 2]}, "n": 2.5}),
        ({"op": "incr", "path": "/made", "value": -3}, {"a": {"b": [1, 2]}, "n": 1, "made": -3}),
        ({"op": "move", "path": "/moved", "from": "/a/b"}, {"a": {}, "n": 1, "moved": [1, 2]}),
    ],
    ids=lambda value: f"{value['op']} {value['path']}" if "op" in value else "",
)
def test_each_operation_does_what_the_service_documents(operation: dict[str, Any], expected: dict[str, Any]) -> None:
    assert patched({"a": {"b": [1, 2]}, "n": 1}, operation) == expected


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/missing", "value": 1},
        {"op": "remove", "path": "/missing"},
        {"op": "remove", "path": "/list/5"},
        {"op": "add", "path": "/no/parent", "value": 1},
        {"op": "incr", "path": "/text", "value": 1},
        {"op": "incr", "path": "/n", "value": "1"},
        {"op": "incr", "path": "/large", "value": 1.7e308},
        {"op": "incr", "path": "/larges/0", "value": 1.7e308},
        {"op": "move", "path": "/x", "from": "/missing"},
        {"op": "set", "path": "/id", "value": "b"},
        {"op": "set", "path": "/_etag", "value": "b"},
        {"op": "set", "path": "/pk", "value": "b"},
        {"op": "set", "path": "no-slash", "value": "b"},
        {"op": "unknown", "path": "/n", "value": "b"},
        {"op": "set", "path": "/n"},
    ],
    ids=lambda operation: f"{operation['op']} {operation['path']}",
)
def test_what_cannot_be_patched_is_refused(operation: dict[str, Any]) -> None:
    item = {"id": "a", "pk": "p", "text": "t", "n": 1, "list": [1], "large": 1.7e308, "larges": [1.7e308]}
    with pytest.raises(CosmosError) as raised:
        patched(item, operation)
    assert raised.value.status == 400


def test_more_than_ten_operations_are_refused() -> None:
    with pytest.raises(CosmosError, match="10"):
        patched({}, *[{"op": "set", "path": f"/{n}", "value": n} for n in range(11)])


async def test_a_patch_is_all_or_nothing(container: ContainerProxy) -> None:
    await container.create_item({"id": "a", "pk": "p", "n": 1})
    with pytest.raises(CosmosHttpResponseError):
        await container.patch_item(
            "a", "p", [{"op": "incr", "path": "/n", "value": 1}, {"op": "remove", "path": "/missing"}]
        )
    assert (await container.read_item("a", "p"))["n"] == 1


async def test_an_increment_beyond_all_numbers_changes_nothing(container: ContainerProxy) -> None:
    await container.create_item({"id": "a", "pk": "p", "n": 1.7e308})
    with pytest.raises(CosmosHttpResponseError, match="largest number") as raised:
        await container.patch_item("a", "p", [{"op": "incr", "path": "/n", "value": 1.7e308}])
    assert raised.value.status_code == 400
    assert (await container.read_item("a", "p"))["n"] == 1.7e308


async def test_a_condition_decides_whether_a_patch_is_made(container: ContainerProxy) -> None:
    await container.create_item({"id": "a", "pk": "p", "n": 1, "state": "open"})
    operations = [{"op": "incr", "path": "/n", "value": 1}]
    done = await container.patch_item("a", "p", operations, filter_predicate="from c where c.state = 'open'")
    assert done["n"] == 2
    with pytest.raises(CosmosAccessConditionFailedError):
        await container.patch_item("a", "p", operations, filter_predicate="from c where c.state = 'closed'")
    assert (await container.read_item("a", "p"))["n"] == 2
