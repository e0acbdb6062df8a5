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
