"""Unique keys within one partition key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from azure.cosmos.aio import ContainerProxy
from azure.cosmos.exceptions import CosmosBatchOperationError, CosmosHttpResponseError, CosmosResourceExistsError

POLICY = {"uniqueKeys": [{"paths": ["/email"]}, {"paths": ["/name/first", "/name/last"]}]}


@pytest.fixture
async def people(make_container: Callable[..., Awaitable[ContainerProxy]]) -> ContainerProxy:
    container = await make_container(unique_key_policy=POLICY, default_ttl=-1)
    await container.create_item({"id": "1", "pk": "p", "email": "a@x", "name": {"first": "A", "last": "X"}})
    return container


@pytest.mark.parametrize(
    "fields",
    [{"email": "a@x"}, {"email": "b@x", "name": {"first": "A", "last": "X"}}],
    ids=["one path", "two paths"],
)
async def test_values_that_another_item_of_the_key_has_are_a_conflict(
    people: ContainerProxy, fields: dict[str, Any]
) -> None:
    with pytest.raises(CosmosResourceExistsError, match="Unique index constraint violation"):
        await people.create_item({"id": "2", "pk": "p", **fields})
    assert len([item async for item in people.read_all_items()]) == 1


async def test_another_partition_key_may_have_the_same_values(people: ContainerProxy) -> None:
    await people.create_item({"id": "2", "pk": "q", "email": "a@x", "name": {"first": "A", "last": "X"}})


async def test_what_is_missing_counts_as_one_value(people: ContainerProxy) -> None:
    await people.create_item({"id": "2", "pk": "p", "email": "b@x"})
    with pytest.raises(CosmosResourceExistsError):
        await people.create_item({"id": "3", "pk": "p", "email": "c@x"})


async def test_values_are_free_again_when_their_item_changes_or_goes(people: ContainerProxy) -> None:
    await people.upsert_item({"id": "1", "pk": "p", "email": "new@x", "name": {"first": "A", "last": "X"}})
    await people.create_item({"id": "2", "pk": "p", "email": "a@x", "name": {"first": "B", "last": "X"}})
    await people.delete_item("2", "p")
    await people.create_item({"id": "3", "pk": "p", "email": "a@x", "name": {"first": "B", "last": "X"}})


async def test_a_violation_undoes_a_batch(people: ContainerProxy) -> None:
    operations = [
        ("create", ({"id": f"{n}", "pk": "p", "email": f"{n % 2}@x", "name": {"first": n}},)) for n in (2, 3, 4)
    ]
    with pytest.raises(CosmosBatchOperationError) as raised:
        await people.execute_item_batch(operations, "p")
    assert [result["statusCode"] for result in raised.value.operation_responses] == [424, 424, 409]
    assert len([item async for item in people.read_all_items()]) == 1


async def test_paths_that_are_none_are_refused(make_container: Callable[..., Awaitable[ContainerProxy]]) -> None:
    for paths in ([], ["email"], ["/a/*"]):
        with pytest.raises(CosmosHttpResponseError):
            await make_container(unique_key_policy={"uniqueKeys": [{"paths": paths}]})
