"""A client that is slow at a chosen write: it waits before sending it until it is let go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from azure.core.pipeline.transport import AioHttpTransport
from azure.cosmos.aio import CosmosClient

from shared_code.records import RecordStore
from tests.shared_code.records.deaths import is_write, store_of


class PausingTransport(AioHttpTransport):  # type: ignore[misc]  # a class without types
    """Sends requests, but the chosen write to a container only once `go` is set; `paused` says that it waits."""

    def __init__(self, container: str, writes: int = 1) -> None:
        super().__init__()
        self._address, self._writes_left = f"/colls/{container}/", writes
        self.paused, self.go = asyncio.Event(), asyncio.Event()

    async def send(self, request: Any, **options: Any) -> Any:
        if is_write(request) and self._address in request.url:
            self._writes_left -= 1
            if self._writes_left == 0:
                self.paused.set()
                await self.go.wait()
        return await super().send(request, **options)


@asynccontextmanager
async def pausing_store(
    endpoint: str, key: str, database: str, transport: PausingTransport, now: Callable[[], datetime]
) -> AsyncIterator[RecordStore]:
    """A record store whose client pauses as its transport says."""
    async with CosmosClient(endpoint, credential=key, transport=transport) as client:
        store = store_of(client.get_database_client(database), now)
        yield store
        await store.transactions.quiet()
