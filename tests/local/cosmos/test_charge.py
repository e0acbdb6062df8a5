"""Request charges: the published examples, and what a query costs with and without its index."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from azure.cosmos.aio import ContainerProxy
from msgspec import json

from local.cosmos import charge

MakeContainer = Callable[..., Awaitable[ContainerProxy]]

KB = 1024


@pytest.mark.parametrize(
    ("charged", "published"),
    [
        (charge.point_read(KB), 1),
        (charge.point_read(100 * KB), 10),
        (charge.create(KB, 0), 5),
        (charge.create(100 * KB, 0), 50),
        (charge.replace(KB, 0), 10),
        (charge.replace(100 * KB, 0), 100),
        (charge.delete(KB, 0), 5),
    ],
)
def test_the_model_meets_the_published_examples(charged: float, published: float) -> None:
    assert charged == pytest.approx(published)


WIDE = {"id": "a", "pk": "p", **{f"f{n:03}": n for n in range(200)}}
NESTED = {"id": "a", "pk": "p", "s": {"code": ["x", "y"], "dates": [{"lo": "1", "hi": '":":'}]}, "text": "z"}


@pytest.mark.parametrize(
    ("item", "policy", "indexed"),
    [
        (WIDE, {"includedPaths": [{"path": "/*"}], "excludedPaths": [{"path": '/"_etag"/?'}]}, 202),
        (WIDE, {"indexingMode": "none", "automatic": False}, 0),
        (WIDE, {"includedPaths": [{"path": "/f001/?"}, {"path": "/x/?"}], "excludedPaths": [{"path": "/*"}]}, 1),
        (WIDE, {"includedPaths": [{"path": "/*"}], "excludedPaths": [{"path": "/f001/?"}]}, 201),
        (NESTED, {"includedPaths": [{"path": "/*"}], "excludedPaths": []}, 8),
        (NESTED, {"includedPaths": [{"path": "/s/*"}], "excludedPaths": [{"path": "/*"}]}, 5),
        (NESTED, {"includedPaths": [{"path": "/s/dates/[]/lo/?"}], "excludedPaths": [{"path": "/*"}]}, 1),
        (NESTED, {"includedPaths": [{"path": "/s/code/[]/?"}], "excludedPaths": [{"path": "/*"}]}, 1),
        (NESTED, {"includedPaths": [{"path": "/*"}], "excludedPaths": [{"path": "/s/dates/*"}]}, 5),
        (NESTED, {"includedPaths": [{"path": "/*"}], "excludedPaths": [{"path": "/s/dates/[]/lo/?"}]}, 7),
        (NESTED, {"includedPaths": [{"path": "/*"}, {"path": "/s/code/?"}], "excludedPaths": [{"path": "/s/*"}]}, 4),
    ],
)
async def test_a_write_costs_more_with_each_indexed_property(
    make_container: MakeContainer, item: dict[str, Any], policy: dict[str, Any], indexed: int
) -> None:
    container = await make_container(indexing_policy=policy)
    costs: list[float] = []

    def keep(headers: Any, _: Any) -> None:
        costs.append(float(headers["x-ms-request-charge"]))

    await container.create_item(item, response_hook=keep)
    await container.replace_item("a", item, response_hook=keep)
    await container.patch_item("a", "p", [{"op": "set", "path": "/pk2", "value": "z"}], response_hook=keep)
    await container.delete_item("a", "p", response_hook=keep)
    stored = 250 + len(json.encode(item))  # with the system fields, of which the widths vary
    assert costs[0] == pytest.approx(charge.create(stored, indexed), abs=0.03)
    assert costs[1] == pytest.approx(charge.replace(stored, indexed), abs=0.06)
    assert costs[3] == pytest.approx(costs[2] / 2, abs=0.01)


async def test_a_delete_costs_what_the_size_says(container: ContainerProxy) -> None:
    costs = []
    for size in (1, 100):
        await container.create_item({"id": "a", "pk": "p", "text": "x" * size * KB})
        await container.delete_item(
            "a", "p", response_hook=lambda headers, _: costs.append(float(headers["x-ms-request-charge"]))
        )
    assert costs[0] < 7
    assert costs[1] > 40


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
    make_container: MakeContainer,
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
