"""What a container may be: properties that the service refuses are refused, and its keys never change."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.cosmos import CosmosClient, PartitionKey
from azure.cosmos.aio import DatabaseProxy
from azure.cosmos.exceptions import CosmosHttpResponseError

from local.cosmos.signature import EMULATOR_KEY
from tests.local.cosmos.conftest import run_to_end
from tests.local.cosmos.test_server import signed

KEY = {"paths": ["/pk"], "kind": "Hash", "version": 2}
EMAIL_IS_UNIQUE = {"uniqueKeys": [{"paths": ["/email"]}]}


def indexing(**policy: Any) -> dict[str, Any]:
    return {"indexingPolicy": {"includedPaths": [{"path": "/*"}], "excludedPaths": [], **policy}}


@pytest.fixture
def made(cosmos_server: Any, database: DatabaseProxy) -> Any:
    """Sends the properties of a container as they are."""
    path = f"/dbs/{database.id}/colls"

    def make(properties: dict[str, Any], **headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(f"{cosmos_server.url}{path}", headers=signed("post", path, sent), json=properties)

    return make


@pytest.mark.parametrize(
    "properties",
    [
        {"partitionKey": "/pk"},
        {"partitionKey": {"paths": "/pk"}},
        {"partitionKey": {"paths": ["/pk/*"]}},
        {"partitionKey": {"paths": ["/"]}},
        {"partitionKey": {"paths": ["/a", "/a"], "kind": "MultiHash"}},
        {"defaultTtl": 0},
        {"defaultTtl": "1"},
        {"defaultTtl": 2**40},
        {"indexingPolicy": "all"},
        indexing(indexingMode="bogus"),
        indexing(includedPaths=[{"path": "/*"}, {}]),
        indexing(excludedPaths=[{"path": "foo"}]),
        indexing(excludedPaths=[{"path": "/foo"}]),
        indexing(excludedPaths=[{"path": "/foo-bar/?"}]),
        indexing(compositeIndexes=[[{"path": "/a"}]]),
        indexing(compositeIndexes=[[{"path": "/a"}, {"path": "/b", "order": "upwards"}]]),
        indexing(compositeIndexes=[[{"path": "/a"}, {"path": "b"}]]),
        {"uniqueKeyPolicy": "email"},
        {"uniqueKeyPolicy": {"uniqueKeys": [{"paths": "/email"}]}},
        {"changeFeedPolicy": "all"},
        {"changeFeedPolicy": {"retentionDuration": -5}},
        {"id": "x" * 256},
    ],
    ids=lambda properties: json.dumps(properties)[:60],
)
def test_properties_that_are_none_are_refused_with_a_sentence(made: Any, properties: dict[str, Any]) -> None:
    answer = made({"id": "wrong", "partitionKey": KEY, **properties})
    assert answer.status_code == 400
    assert answer.json()["message"].endswith((".", "`", "'"))


@pytest.mark.parametrize(
    ("properties", "named"),
    [
        ({"vectorEmbeddingPolicy": {"vectorEmbeddings": [{"path": "/v"}]}}, "vectorEmbeddingPolicy"),
        ({"fullTextPolicy": {"defaultLanguage": "en-US", "fullTextPaths": []}}, "fullTextPolicy"),
        ({"computedProperties": [{"name": "n", "query": "SELECT VALUE 1 FROM c"}]}, "computedProperties"),
        (indexing(vectorIndexes=[{"path": "/v", "type": "flat"}]), "vectorIndexes"),
        (indexing(fullTextIndexes=[{"path": "/t"}]), "fullTextIndexes"),
    ],
)
def test_what_no_container_here_has_is_refused(made: Any, properties: dict[str, Any], named: str) -> None:
    answer = made({"id": "more", "partitionKey": KEY, **properties})
    assert answer.status_code == 400
    assert named in answer.json()["message"]


def test_words_of_a_policy_are_read_in_any_case(made: Any) -> None:
    index = [{"path": "/a", "order": "Ascending"}, {"path": "/b", "order": "DESCENDING"}]
    answer = made({"id": "cased", "partitionKey": KEY, **indexing(indexingMode="Consistent", compositeIndexes=[index])})
    assert answer.status_code == 201
    policy = answer.json()["indexingPolicy"]
    assert policy["indexingMode"] == "consistent"
    assert [entry["order"] for entry in policy["compositeIndexes"][0]] == ["ascending", "descending"]


@pytest.mark.parametrize("units", ["1", "50", "399", "450", "-400"])
def test_throughput_has_the_steps_of_the_service(made: Any, units: str) -> None:
    answer = made({"id": "units", "partitionKey": KEY}, x_ms_offer_throughput=units)
    assert answer.status_code == 400
    assert "400" in answer.json()["message"]


def test_autoscale_has_the_steps_of_the_service(made: Any) -> None:
    for settings in ("{}", '{"maxThroughput":500}', '{"maxThroughput":"1000"}'):
        answer = made({"id": "units", "partitionKey": KEY}, x_ms_cosmos_offer_autopilot_settings=settings)
        assert answer.status_code == 400
    settings = '{"maxThroughput":2000}'
    assert made({"id": "units", "partitionKey": KEY}, x_ms_cosmos_offer_autopilot_settings=settings).status_code == 201


async def test_a_replaced_throughput_has_these_steps_too(database: DatabaseProxy) -> None:
    container = await database.create_container("steps", PartitionKey("/pk"), offer_throughput=400)
    with pytest.raises(CosmosHttpResponseError, match="steps of 100"):
        await container.replace_throughput(450)
    assert (await container.get_throughput()).offer_throughput == 400


def test_throughput_of_a_database_is_refused(cosmos_server: Any) -> None:
    with CosmosClient(cosmos_server.url, EMULATOR_KEY) as client:
        with pytest.raises(CosmosHttpResponseError, match="only of containers") as raised:
            client.create_database("with-throughput", offer_throughput=400)
        assert raised.value.status_code == 400
        with pytest.raises(CosmosHttpResponseError, match="255"):
            client.create_database("x" * 256)


def test_the_keys_of_a_container_cannot_be_replaced(made: Any, database: DatabaseProxy, cosmos_server: Any) -> None:
    assert made({"id": "keys", "partitionKey": KEY, "uniqueKeyPolicy": EMAIL_IS_UNIQUE}).status_code == 201
    path = f"/dbs/{database.id}/colls/keys"
    for changed in (
        {"partitionKey": {**KEY, "kind": "MultiHash"}, "uniqueKeyPolicy": EMAIL_IS_UNIQUE},
        {"partitionKey": {**KEY, "paths": ["/other"]}, "uniqueKeyPolicy": EMAIL_IS_UNIQUE},
        {"partitionKey": KEY},
        {"partitionKey": KEY, "uniqueKeyPolicy": {"uniqueKeys": [{"paths": ["/name"]}]}},
    ):
        answer = httpx.put(f"{cosmos_server.url}{path}", headers=signed("put", path), json={"id": "keys", **changed})
        assert answer.status_code == 400
        assert "cannot be changed" in answer.json()["message"]


def test_queries_of_databases_are_checked(cosmos_server: Any) -> None:
    for body in ({"query": "SELECT * FROM r WHERE r.id = @id", "parameters": [{}]}, {"query": 5}, {}, []):
        headers = signed("post", "/dbs", {"content-type": "application/query+json"})
        answer = httpx.post(f"{cosmos_server.url}/dbs", headers=headers, content=json.dumps(body))
        assert answer.status_code == 400


def started_with(tmp_path: Path, described: object) -> subprocess.CompletedProcess[str]:
    """A start that is expected to fail, on a file of containers."""
    file = tmp_path / "containers.json"
    file.write_text(json.dumps(described))
    return run_to_end("--port", 0, "--data", tmp_path / "data", "--containers", file)


@pytest.mark.parametrize(
    "described",
    [[], {}, {"containers": ["records"]}, {"containers": [{"partitionKey": KEY}]}, {"containers": [{"name": "a"}]}],
    ids=json.dumps,
)
def test_a_file_that_describes_no_containers_is_a_sentence(tmp_path: Path, described: object) -> None:
    ended = started_with(tmp_path, described)
    assert ended.returncode == 1
    assert ended.stderr.startswith("The Cosmos server cannot start: ")
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"uniqueKeyPolicy": EMAIL_IS_UNIQUE}),
        ({"uniqueKeyPolicy": EMAIL_IS_UNIQUE}, {}),
        ({}, {"partitionKey": {**KEY, "paths": ["/other"]}}),
    ],
    ids=["unique key added", "unique key removed", "another partition key"],
)
def test_a_file_cannot_change_the_keys_of_a_container_that_is_there(
    start_server: Any, tmp_path: Path, before: dict[str, Any], after: dict[str, Any]
) -> None:
    file = tmp_path / "containers.json"
    file.write_text(json.dumps({"containers": [{"name": "people", "partitionKey": KEY, **before}]}))
    server = start_server(tmp_path / "data", ["--containers", str(file)])
    server.stop()
    ended = started_with(tmp_path, {"containers": [{"name": "people", "partitionKey": KEY, **after}]})
    assert ended.returncode == 1
    assert "people" in ended.stderr
    assert "cannot be changed" in ended.stderr
    assert "Traceback" not in ended.stderr
