"""Databases, containers and throughput, by the client of each kind."""

from __future__ import annotations

from typing import Any

import pytest
from azure.cosmos import CosmosClient as SyncClient
from azure.cosmos import PartitionKey
from azure.cosmos.aio import CosmosClient
from azure.cosmos.exceptions import CosmosHttpResponseError, CosmosResourceExistsError, CosmosResourceNotFoundError

from local.cosmos.signature import EMULATOR_KEY


async def test_databases_are_made_found_listed_and_dropped(client: CosmosClient) -> None:
    database = await client.create_database("made")
    with pytest.raises(CosmosResourceExistsError):
        await client.create_database("made")
    assert "made" in [one["id"] async for one in client.list_databases()]
    query = client.query_databases("SELECT * FROM r WHERE r.id = @id", parameters=[{"name": "@id", "value": "made"}])
    assert [one["id"] async for one in query] == ["made"]
    await database.create_container("inside", PartitionKey("/pk"))
    await client.delete_database("made")
    with pytest.raises(CosmosResourceNotFoundError):
        await client.get_database_client("made").read()


async def test_containers_keep_their_properties_and_take_new_ones(client: CosmosClient) -> None:
    database = await client.create_database_if_not_exists("properties")
    policy = {
        "indexingMode": "consistent",
        "includedPaths": [{"path": "/s/*"}],
        "excludedPaths": [{"path": "/*"}],
    }
    container = await database.create_container("c", PartitionKey("/pk"), indexing_policy=policy, default_ttl=50)
    read = await container.read()
    assert read["indexingPolicy"]["includedPaths"] == [{"path": "/s/*"}]
    assert read["defaultTtl"] == 50
    assert read["partitionKey"] == {"paths": ["/pk"], "kind": "Hash", "version": 2}
    await database.replace_container(container, PartitionKey("/pk"), default_ttl=-1)
    replaced = await container.read()
    assert (replaced["defaultTtl"], replaced["_rid"]) == (-1, read["_rid"])
    assert [one["id"] async for one in database.list_containers()] == ["c"]
    with pytest.raises(CosmosHttpResponseError, match="partition key cannot be changed"):
        await database.replace_container(container, PartitionKey("/other"))
    await database.delete_container("c")
    with pytest.raises(CosmosResourceNotFoundError):
        await container.read()


@pytest.mark.parametrize(
    "options",
    [
        {"partition_key": {"paths": [], "kind": "Hash"}},
        {"partition_key": {"paths": ["/a", "/b"], "kind": "Hash"}},
        {"partition_key": {"paths": ["pk"], "kind": "Hash"}},
        {"default_ttl": 0},
        {"default_ttl": -2},
        {"indexing_policy": {"includedPaths": [{"path": "/a/?"}], "excludedPaths": [{"path": "/b/?"}]}},
    ],
    ids=["no path", "two paths", "no slash", "ttl 0", "ttl -2", "no root path"],
)
async def test_properties_that_the_service_refuses_are_refused(client: CosmosClient, options: dict[str, Any]) -> None:
    database = await client.create_database_if_not_exists("refusing")
    sent = {"partition_key": PartitionKey("/pk"), **options}
    with pytest.raises(CosmosHttpResponseError) as raised:
        await database.create_container("c", **sent)
    assert raised.value.status_code == 400


async def test_throughput_is_kept_and_replaced(client: CosmosClient) -> None:
    database = await client.create_database_if_not_exists("throughput")
    container = await database.create_container("with", PartitionKey("/pk"), offer_throughput=500)
    assert (await container.get_throughput()).offer_throughput == 500
    await container.replace_throughput(700)
    assert (await container.get_throughput()).offer_throughput == 700


async def test_what_is_in_no_container_is_not_found(client: CosmosClient) -> None:
    missing = client.get_database_client("tests").get_container_client("missing")
    with pytest.raises(CosmosResourceNotFoundError) as raised:
        await missing.read_item("a", "p")
    assert raised.value.sub_status == 1003


async def test_a_container_made_again_is_noticed_by_a_client_that_knew_the_old_one(client: CosmosClient) -> None:
    database = await client.create_database_if_not_exists("recreated")
    container = await database.create_container("c", PartitionKey("/pk"))
    await container.create_item({"id": "a", "pk": "p"})
    async with CosmosClient(client.client_connection.url_connection, EMULATOR_KEY) as other:
        await other.get_database_client("recreated").delete_container("c")
        await other.get_database_client("recreated").create_container("c", PartitionKey("/pk"))
    await container.create_item({"id": "a", "pk": "p"})
    assert (await container.read_item("a", "p"))["id"] == "a"


def test_the_synchronous_client_works_alike(cosmos_server: Any) -> None:
    with SyncClient(cosmos_server.url, EMULATOR_KEY) as client:
        container = client.create_database("synchronous").create_container("c", PartitionKey("/pk"))
        container.create_item({"id": "a", "pk": "p", "n": 1})
        container.execute_item_batch([("upsert", ({"id": "a", "pk": "p", "n": 2},))], "p")
        assert container.read_item("a", "p")["n"] == 2
        assert list(container.query_items("SELECT VALUE c.n FROM c", partition_key="p")) == [2]
        assert [item["id"] for item in container.query_items_change_feed(start_time="Beginning")] == ["a"]
        assert container.read_items([("a", "p")])[0]["n"] == 2
