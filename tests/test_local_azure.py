"""What the tests stand on: a Cosmos database with the app's containers, and storage."""

from __future__ import annotations

import json
from pathlib import Path

from azure.storage.blob.aio import BlobServiceClient

ROOT = Path(__file__).resolve().parents[1]


async def test_a_database_has_the_containers_of_the_one_definition(database):
    defined = json.loads((ROOT / "infra" / "containers.json").read_text(encoding="utf-8"))["containers"]
    there = {container["id"]: container async for container in database.list_containers()}
    assert set(there) == {container["name"] for container in defined}
    for container in defined:
        assert there[container["name"]]["partitionKey"]["paths"] == container["partitionKey"]["paths"]
        assert there[container["name"]].get("defaultTtl") == container.get("defaultTtl")


async def test_every_test_has_a_database_of_its_own(database):
    container = database.get_container_client("records")
    assert [item async for item in container.query_items("SELECT * FROM c", partition_key="p")] == []
    await container.create_item({"id": "1", "pk": "p"})


async def test_every_test_has_a_database_of_its_own_again(database):
    container = database.get_container_client("records")
    await container.create_item({"id": "1", "pk": "p"})


async def test_storage_answers(azurite):
    async with BlobServiceClient.from_connection_string(azurite) as blobs:
        assert (await blobs.get_account_information())["account_kind"] == "StorageV2"
