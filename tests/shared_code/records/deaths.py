"""A client that dies at a chosen write, as a process does: nothing of it reaches the store afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from azure.core.pipeline.transport import AioHttpTransport
from azure.cosmos.aio import CosmosClient

from shared_code.records import RecordStore

if TYPE_CHECKING:
    from azure.cosmos.aio import DatabaseProxy


class Death(BaseException):
    """What a dead client raises; no code of ours may catch it and go on."""


class DyingTransport(AioHttpTransport):  # type: ignore[misc]  # a class without types
    """Sends requests until its last write, which it sends (`after`) or keeps to itself; then it is dead."""

    def __init__(self, writes: int, *, after: bool) -> None:
        super().__init__()
        self.writes_left, self._after = writes, after
        self.dead = False

    async def send(self, request: Any, **options: Any) -> Any:
        if self.dead:
            raise Death
        if not is_write(request):
            return await super().send(request, **options)
        self.writes_left -= 1
        if self.writes_left > 0:
            return await super().send(request, **options)
        if self._after:
            await super().send(request, **options)
        self.dead = True
        raise Death


def is_write(request: Any) -> bool:
    """Whether a request may change something."""
    headers = {name.lower() for name in request.headers}
    reads = {"x-ms-documentdb-isquery", "x-ms-documentdb-query", "x-ms-cosmos-is-query-plan-request"}
    return request.method != "GET" and not headers & reads


def store_of(database: DatabaseProxy, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> RecordStore:
    """A record store on the containers of a database."""
    records, keys, transactions = map(database.get_container_client, ("records", "keys", "transactions"))
    return RecordStore(records, keys, transactions, now)


@asynccontextmanager
async def dying_store(
    endpoint: str, key: str, database: str, transport: DyingTransport, now: Callable[[], datetime]
) -> AsyncIterator[RecordStore]:
    """A record store whose client dies as its transport says."""
    async with CosmosClient(endpoint, credential=key, transport=transport) as client:
        yield store_of(client.get_database_client(database), now)
