"""Event Grid for one container: tells a storage queue of every blob that arrives, at least once.

Azurite raises no events, so the container is listed about every second; what was told is kept by name and ETag.
The event is the one that Event Grid puts on a queue, in its own schema and base64-encoded.
source: https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from azure.core.exceptions import AzureError, ResourceExistsError
from azure.storage.blob import BlobProperties
from azure.storage.blob.aio import BlobServiceClient, ContainerClient
from azure.storage.queue.aio import QueueClient

CONTAINER, QUEUE = "bundles", "bundle-events"
POLL_SECONDS = 1.0

log = logging.getLogger("local.services.event_grid")


class Delivered:
    """Which version of which blob has been told, kept in a file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("CREATE TABLE IF NOT EXISTS told (name TEXT PRIMARY KEY, etag TEXT NOT NULL)")

    def etags(self) -> dict[str, str]:
        """Name → the ETag that was told last."""
        return dict(self._connection.execute("SELECT name, etag FROM told"))

    def add(self, name: str, etag: str) -> None:
        """Remember that this version was told."""
        with self._connection:
            self._connection.execute("INSERT OR REPLACE INTO told VALUES (?, ?)", (name, etag))

    def forget(self, names: set[str]) -> None:
        """A blob that is gone may come again under its name and is told again then."""
        with self._connection:
            self._connection.executemany("DELETE FROM told WHERE name = ?", [(name,) for name in names])

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def blob_created(blob: BlobProperties, *, account: str, container_url: str) -> dict[str, object]:
    """The event `Microsoft.Storage.BlobCreated` for `blob`.

    id             the same for the same version of a blob, so that a second delivery can be recognised
    account        name of the storage account; the topic names it as Azure does
    container_url  without a slash at the end
    """
    modified = blob.last_modified
    return {
        "topic": f"/subscriptions/local/resourceGroups/local/providers/Microsoft.Storage/storageAccounts/{account}",
        "subject": f"/blobServices/default/containers/{CONTAINER}/blobs/{blob.name}",
        "eventType": "Microsoft.Storage.BlobCreated",
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{container_url}/{blob.name}#{blob.etag}")),
        "data": {
            "api": "PutBlob",
            "requestId": str(uuid.uuid4()),
            "eTag": str(blob.etag).strip('"'),
            "contentType": blob.content_settings.content_type or "application/octet-stream",
            "contentLength": blob.size,
            "blobType": str(getattr(blob.blob_type, "value", blob.blob_type)),
            "url": f"{container_url}/{quote(blob.name)}",
            "sequencer": f"{int(modified.timestamp() * 1000):032X}",
        },
        "dataVersion": "",
        "metadataVersion": "1",
        "eventTime": modified.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }


async def deliver_new(container: ContainerClient, queue: QueueClient, delivered: Delivered) -> int:
    """Tell the queue of every version that was not told yet; how many there were.

    A version is remembered after its message is on the queue: a death in between tells it twice, never not at all.
    """
    told = delivered.etags()
    present: set[str] = set()
    count = 0
    async for blob in container.list_blobs():
        present.add(blob.name)
        if told.get(blob.name) == blob.etag:
            continue
        event = blob_created(blob, account=container.account_name or "", container_url=container.url)
        await queue.send_message(base64.b64encode(json.dumps(event).encode()).decode())
        delivered.add(blob.name, blob.etag)
        count += 1
    delivered.forget(told.keys() - present)
    return count


async def watch(connection: str, state: Path) -> None:
    """Create the container and the queue, then deliver until cancelled; a storage that is away is asked again."""
    with _opened(state) as delivered:
        async with (
            BlobServiceClient.from_connection_string(connection, retry_total=0) as blobs,
            QueueClient.from_connection_string(connection, QUEUE, retry_total=0) as queue,
        ):
            container = blobs.get_container_client(CONTAINER)
            created = False
            reachable = True
            while True:
                try:
                    if not created:
                        await create(container, queue)
                        created = True
                    await deliver_new(container, queue, delivered)
                    reachable = True
                except AzureError as error:
                    if reachable:
                        log.warning("the storage does not answer, trying again: %s", error)
                    reachable = created = False
                await asyncio.sleep(POLL_SECONDS)


async def create(container: ContainerClient, queue: QueueClient) -> None:
    """The container that is watched and the queue that is told, if they are not there yet."""
    for one in (container.create_container, queue.create_queue):
        try:
            await one()
        except ResourceExistsError:
            continue  # from an earlier run


@contextmanager
def _opened(state: Path) -> Iterator[Delivered]:
    delivered = Delivered(state)
    try:
        yield delivered
    finally:
        delivered.close()
