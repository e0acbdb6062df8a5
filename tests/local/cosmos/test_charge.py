"""Request charges: the published examples, and what a query costs with and without its index."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from azure.cosmos.aio import ContainerProxy

from local.cosmos import charge

KB = 1024


@pytest.mark.parametrize(
    ("charged", "published"),
    [
        (charge.point_read(KB), 1),
        (charge.point_read(100 * KB), 10),
        (charge.create(KB), 5),
        (charge.create(100 * KB), 50),
    ],
)
def test_the_model_meets_the_published_examples(charged: float, published: float) -> None:
    assert charged == pytest.approx(published)


async def charged(container: ContainerProxy, query: str) -> float:
    """What a query of one partition key costs, over all its pages."""
    costs: list[float] = []
    found = container.query_items(
        query,
        partition_key="p",
        response_hook=lambda headers, _: costs.append(float(headers["x-ms-request-charge"])),
    )
    assert [item async for item in found]
    return sum(costs)


async def fill(container: ContainerProxy) -> None:
    await container.execute_item_batch([("create", ({"id": f"{n}", "pk": "p", "n": n},)) for n in range(100)], "p")


async def test_a_path_within_a_function_costs_a_scan(container: ContainerProxy) -> None:
    await fill(container)
    scan = await charged(container, "SELECT * FROM c WHERE c.n / 1 = 1")
    assert await charged(container, "SELECT * FROM c WHERE c.n = 1") < scan - 2
    for condition in ("UPPER(c.id) = '1'", "ABS(c.n) = 1", "c.n % 100 = 1", "c.n = 1 OR LOWER(c.id) = '1'"):
        assert await charged(container, f"SELECT * FROM c WHERE {condition}") == pytest.approx(scan, abs=0.1)


async def test_the_first_items_in_order_are_read_from_the_index(container: ContainerProxy) -> None:
    await fill(container)
    everything = await charged(container, "SELECT * FROM c ORDER BY c.n")
    first = await charged(container, "SELECT * FROM c ORDER BY c.n OFFSET 0 LIMIT 1")
    later = await charged(container, "SELECT * FROM c ORDER BY c.n OFFSET 50 LIMIT 1")
    assert first == pytest.approx(await charged(container, "SELECT * FROM c WHERE c.n = 1"))
    assert first + 1 < later < everything
    assert await charged(container, "SELECT * FROM c WHERE c.n > 10 ORDER BY c.n DESC OFFSET 0 LIMIT 1") == first
    assert await charged(container, "SELECT * FROM c WHERE c.n + 1 > 0 ORDER BY c.n OFFSET 0 LIMIT 1") > later


async def test_a_query_that_its_index_answers_is_cheaper(
    make_container: Callable[..., Awaitable[ContainerProxy]],
) -> None:
    costs: list[float] = []
    for included in ("/*", "/nothing/?"):
        excluded = [] if included == "/*" else [{"path": "/*"}]
        policy = {"includedPaths": [{"path": included}], "excludedPaths": excluded}
        container = await make_container(indexing_policy=policy)
        await container.execute_item_batch([("create", ({"id": f"{n}", "pk": "p", "n": n},)) for n in range(100)], "p")
        headers: dict[str, Any] = {}
        query = container.query_items(
            "SELECT * FROM c WHERE c.n = 50",
            partition_key="p",
            response_hook=lambda sent, _, kept=headers: kept.update(sent),
        )
        assert [item["id"] async for item in query] == ["50"]
        costs.append(float(headers["x-ms-request-charge"]))
    assert costs[0] < costs[1]
