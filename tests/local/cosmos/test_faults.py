"""Faults on demand and throughput, as the real client meets them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure.cosmos import CosmosClient, PartitionKey
from azure.cosmos.aio import ContainerProxy
from azure.cosmos.exceptions import CosmosHttpResponseError

from local.cosmos.errors import CosmosError
from local.cosmos.signature import EMULATOR_KEY
from local.cosmos.throughput import Throughput
from tests.local.cosmos.test_server import signed


class Faults:
    """Sets the rules of the running server."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/_local/faults"

    def set(self, *rules: dict[str, Any], seed: int = 0) -> None:
        httpx.put(self._url, json={"rules": rules, "seed": seed}).raise_for_status()

    def done(self) -> list[int]:
        return [rule["done"] for rule in httpx.get(self._url).json()["rules"]]


@pytest.fixture
def faults(cosmos_server: Any) -> Iterator[Faults]:
    rules = Faults(cosmos_server.url)
    yield rules
    rules.set()


async def test_a_client_retries_when_it_is_throttled(container: ContainerProxy, faults: Faults) -> None:
    faults.set({"fault": "429", "times": 3, "container": container.id})
    await container.create_item({"id": "a", "pk": "p"})
    assert faults.done() == [3]


async def test_a_write_is_not_retried_when_the_service_is_unavailable(
    container: ContainerProxy, faults: Faults
) -> None:
    faults.set({"fault": "503", "operations": ["write"], "container": container.id})
    with pytest.raises(CosmosHttpResponseError) as raised:
        await container.create_item({"id": "a", "pk": "p"})
    assert raised.value.status_code == 503


async def test_a_449_reaches_the_caller(container: ContainerProxy, faults: Faults) -> None:
    faults.set({"fault": "449", "operations": ["write"], "container": container.id})
    with pytest.raises(CosmosHttpResponseError) as raised:
        await container.upsert_item({"id": "a", "pk": "p"})
    assert raised.value.status_code == 449


@pytest.mark.parametrize(("fault", "is_written"), [("drop-before", False), ("drop-after", True)])
async def test_a_connection_lost_in_a_write_leaves_open_what_became_of_it(
    container: ContainerProxy, faults: Faults, fault: str, is_written: bool
) -> None:
    faults.set({"fault": fault, "operations": ["write"], "container": container.id})
    with pytest.raises((ServiceResponseError, ServiceRequestError, CosmosHttpResponseError)):
        await container.create_item({"id": "a", "pk": "p"})
    faults.set()
    assert bool([item async for item in container.read_all_items()]) is is_written


async def test_callers_go_on_after_an_empty_page(container: ContainerProxy, faults: Faults) -> None:
    for number in range(6):
        await container.create_item({"id": f"{number}", "pk": "p"})
    faults.set({"fault": "empty-page", "probability": 0.5, "container": container.id}, seed=3)
    query = container.query_items("SELECT VALUE c.id FROM c", partition_key="p", max_item_count=2)
    assert [name async for name in query] == [f"{number}" for number in range(6)]
    assert faults.done()[0] > 0


async def test_a_probability_with_a_seed_hits_the_same_requests_again(
    container: ContainerProxy, faults: Faults
) -> None:
    async def outcomes() -> list[bool]:
        faults.set({"fault": "449", "probability": 0.4, "operations": ["write"], "container": container.id}, seed=7)
        found = []
        for number in range(12):
            try:
                await container.upsert_item({"id": f"{number}", "pk": "p"})
            except CosmosHttpResponseError:
                found.append(False)
            else:
                found.append(True)
        return found

    first = await outcomes()
    assert first == await outcomes()
    assert {True, False} == set(first)


async def test_a_410_makes_the_client_read_the_ranges_anew_and_go_on(container: ContainerProxy, faults: Faults) -> None:
    await container.create_item({"id": "a", "pk": "p"})
    faults.set({"fault": "410", "times": 1, "operations": ["query"], "container": container.id})
    assert [item["id"] async for item in container.query_items("SELECT * FROM c ORDER BY c.id")] == ["a"]
    assert faults.done() == [1]


async def test_a_delay_comes_before_the_answer(container: ContainerProxy, faults: Faults) -> None:
    await container.create_item({"id": "a", "pk": "p"})
    faults.set({"fault": "delay", "seconds": 0.3, "operations": ["read"], "container": container.id})
    before = time.monotonic()
    assert (await container.read_item("a", "p"))["id"] == "a"
    assert time.monotonic() - before >= 0.3
    assert faults.done() == [1]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"rules": [{"fault": "teapot"}]},
        {"rules": [{"fault": "429", "typo": 1}]},
        {"rules": [{"fault": "429", "operations": ["writes"]}]},
        {"rules": [{"fault": "429", "probability": 1.5}]},
        {"rules": [{"fault": "429", "probability": -0.1}]},
        {"rules": [{"fault": "delay", "seconds": -1}]},
        {"rules": [{"fault": "429", "times": -1}]},
    ],
    ids=str,
)
def test_a_rule_that_is_none_is_refused(cosmos_server: Any, body: dict[str, Any]) -> None:
    assert httpx.put(f"{cosmos_server.url}/_local/faults", json=body).status_code == 400


def test_faults_are_read_and_set_by_no_other_method(cosmos_server: Any) -> None:
    for method in ("POST", "DELETE", "PATCH"):
        assert httpx.request(method, f"{cosmos_server.url}/_local/faults").status_code == 405


def test_a_spent_budget_asks_to_wait_until_it_is_paid_back() -> None:
    moment = [0.0]
    throughput = Throughput(400, 2, clock=lambda: moment[0])
    throughput.require(1, "0")
    throughput.spend(1, "0", 250)
    throughput.require(1, "1")
    with pytest.raises(CosmosError) as raised:
        throughput.require(1, "0")
    assert (raised.value.status, raised.value.substatus) == (429, 3200)
    moment[0] += int(raised.value.headers["x-ms-retry-after-ms"]) / 1000
    throughput.require(1, "0")


def test_a_container_with_few_units_throttles_and_the_client_gets_through(start_server: Any, tmp_path: Any) -> None:
    server = start_server(tmp_path, ["--ru", "100"])
    with CosmosClient(server.url, EMULATOR_KEY) as client:
        container = client.create_database("db").create_container("c", PartitionKey("/pk"))
        container.create_item({"id": "large", "pk": "p", "text": "x" * 300_000})
        statuses: list[int] = []
        created = container.create_item(
            {"id": "next", "pk": "p"},
            raw_response_hook=lambda answer: statuses.append(answer.http_response.status_code),
        )
        assert created["id"] == "next"
    assert statuses[-1] == 201
    assert set(statuses[:-1]) == {429}


def test_requests_that_are_refused_spend_units_too(start_server: Any, tmp_path: Any) -> None:
    server = start_server(tmp_path, ["--ru", "20"])
    with CosmosClient(server.url, EMULATOR_KEY) as client:
        client.create_database("db").create_container("c", PartitionKey("/pk"))
    path = "/dbs/db/colls/c/docs/missing"
    headers = signed("get", path, {"x-ms-documentdb-partitionkey": '["p"]'})
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        statuses = [http.get(path, headers=headers).status_code for _ in range(20)]
    assert set(statuses) == {404, 429}
