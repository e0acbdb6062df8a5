"""Blob arrivals become messages on the storage queue, at least once and for each version of a blob."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueClient

from local.services import event_grid
from local.services.event_grid import CONTAINER, QUEUE, Delivered, deliver_new


@pytest.fixture
async def storage(azurite):
    """The container, the queue and an empty state, with the watcher's own clients."""
    async with BlobServiceClient.from_connection_string(azurite) as blobs:
        container = blobs.get_container_client(CONTAINER)
        async with QueueClient.from_connection_string(azurite, QUEUE) as queue:
            await event_grid.create(container, queue)
            await queue.clear_messages()
            async for blob in container.list_blobs():
                await container.delete_blob(blob.name)
            yield container, queue


async def events(queue) -> list[dict]:
    found = []
    async for message in queue.receive_messages(messages_per_page=32):
        found.append(json.loads(base64.b64decode(message.content)))
        await queue.delete_message(message)
    return found


async def test_a_new_blob_is_told_once_in_event_grids_schema(storage, tmp_path):
    container, queue = storage
    await container.upload_blob("folder/history 1.json", b"{}", content_type="application/fhir+json")
    delivered = Delivered(tmp_path / "told.sqlite")
    assert await deliver_new(container, queue, delivered) == 1
    assert await deliver_new(container, queue, delivered) == 0
    (event,) = await events(queue)
    assert event["eventType"] == "Microsoft.Storage.BlobCreated"
    assert event["subject"] == "/blobServices/default/containers/bundles/blobs/folder/history 1.json"
    data = event["data"]
    assert data["contentType"] == "application/fhir+json"
    assert (data["contentLength"], data["blobType"]) == (2, "BlockBlob")
    assert data["url"] == f"{container.url}/folder/history%201.json"
    properties = await container.get_blob_client("folder/history 1.json").get_blob_properties()
    assert data["eTag"] == properties.etag.strip('"')


async def test_another_version_of_a_known_blob_is_told_again(storage, tmp_path):
    container, queue = storage
    delivered = Delivered(tmp_path / "told.sqlite")
    for content in (b"1", b"2"):
        await container.upload_blob("a.json", content, overwrite=True)
        assert await deliver_new(container, queue, delivered) == 1
    first, second = await events(queue)
    assert first["data"]["eTag"] != second["data"]["eTag"]
    assert first["id"] != second["id"]


async def test_what_was_told_is_remembered_over_a_restart(storage, tmp_path):
    container, queue = storage
    await container.upload_blob("a.json", b"1")
    before = Delivered(tmp_path / "told.sqlite")
    await deliver_new(container, queue, before)
    before.close()
    assert await deliver_new(container, queue, Delivered(tmp_path / "told.sqlite")) == 0


async def test_a_blob_that_went_and_came_again_is_told_again(storage, tmp_path):
    container, queue = storage
    delivered = Delivered(tmp_path / "told.sqlite")
    for _ in range(2):
        await container.upload_blob("a.json", b"1")
        assert await deliver_new(container, queue, delivered) == 1
        await container.delete_blob("a.json")
        assert await deliver_new(container, queue, delivered) == 0


async def test_the_watcher_makes_container_and_queue_and_delivers_by_itself(storage, azurite, tmp_path):
    container, queue = storage
    watcher = asyncio.create_task(event_grid.watch(azurite, tmp_path / "told.sqlite"))
    try:
        await container.upload_blob("dropped.ndjson", b"{}\n")
        found: list[dict] = []
        async with asyncio.timeout(10):
            while not found:
                found = await events(queue)
    finally:
        watcher.cancel()
    assert [event["subject"].rpartition("/")[2] for event in found] == ["dropped.ndjson"]
