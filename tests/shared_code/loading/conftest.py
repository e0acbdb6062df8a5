"""A loader of files on a fresh database and a blob container of the test's own."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from shared_code.loading import BundleLoader, File, FileLoader, Jobs
from shared_code.records import RecordStore

if TYPE_CHECKING:
    from azure.cosmos.aio import DatabaseProxy
    from azure.storage.blob.aio import BlobServiceClient

BASE = "https://portal.example.org/api/fhir"


class Clock:
    """The time, and what was added to it."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def forward(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)


@dataclass
class Loading:
    """What loads, and the parts that a test looks at."""

    blobs: BlobServiceClient
    container: str
    store: RecordStore
    jobs: Jobs
    files: FileLoader
    clock: Clock

    async def put(self, name: str, content: bytes) -> File:
        """The file as the event of its arrival names it."""
        blob = self.blobs.get_blob_client(self.container, name)
        answer = await blob.upload_blob(content, overwrite=True)
        return File(self.container, name, str(answer["etag"]).strip('"'))


def loader_on(
    database: DatabaseProxy, store: RecordStore, blobs: BlobServiceClient, now: Callable[[], datetime]
) -> FileLoader:
    """A loader whose jobs and records are in this database."""
    return FileLoader(blobs, Jobs(database.get_container_client("jobs"), now), store, BundleLoader(store, BASE))


@pytest.fixture
async def loading(database: DatabaseProxy, azurite: str) -> AsyncIterator[Loading]:
    from azure.storage.blob.aio import BlobServiceClient

    clock = Clock()
    records, keys, transactions = map(database.get_container_client, ("records", "keys", "transactions"))
    store = RecordStore(records, keys, transactions, clock)
    container = f"files-{uuid.uuid4().hex}"
    async with BlobServiceClient.from_connection_string(azurite) as blobs:
        await blobs.create_container(container)
        jobs = Jobs(database.get_container_client("jobs"), clock)
        yield Loading(blobs, container, store, jobs, loader_on(database, store, blobs, clock), clock)
        await store.transactions.quiet()
        await blobs.delete_container(container)
