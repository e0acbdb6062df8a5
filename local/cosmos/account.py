"""The account: the file it keeps, its catalog, its physical partitions and its key."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

from local.cosmos.consistency import SESSION, Consistency
from local.cosmos.entra import EntraTokens
from local.cosmos.errors import CONTAINER_WAS_RECREATED, CosmosError, owner_not_found
from local.cosmos.faults import Faults
from local.cosmos.index.background import IndexKeeper
from local.cosmos.index.tables import is_damage, prepare
from local.cosmos.ranges import Ranges
from local.cosmos.signature import AccountKey
from local.cosmos.storage.catalog import Catalog, Container
from local.cosmos.storage.database import Database, failures_logged
from local.cosmos.storage.items import sweep
from local.cosmos.throughput import Throughput
from local.cosmos.wire import Request

_LOG = logging.getLogger("local.cosmos")
DATA_FILE = "cosmos.sqlite"
_SWEEP_EVERY_SECONDS = 1.0
_SWEEP_AT_MOST = 500  # of one container; the rest next time, so that requests need not wait


class Account:
    """Opens the data directory; `start` begins the work in the background, `close` ends it."""

    def __init__(
        self,
        directory: Path,
        key: str,
        range_count: int,
        request_units_per_second: int | None = None,
        wait_seconds: float = 0,
        token_issuer: str | None = None,
        consistency: str = SESSION,
    ) -> None:
        self.key = AccountKey(key)
        self.tokens = None if token_issuer is None else EntraTokens(token_issuer)
        self.ranges = Ranges(range_count)
        self.consistency = Consistency(consistency)
        self.file = Database(directory / DATA_FILE, wait_seconds)
        self.catalog = Catalog(self.file)
        self._prepare_index()
        self.index = IndexKeeper(self.catalog, self.file)
        self.faults = Faults()
        self.throughput = (
            None if request_units_per_second is None else Throughput(request_units_per_second, range_count)
        )
        self._background: list[asyncio.Task[None]] = []

    def start(self, is_alone: Callable[[], bool]) -> None:
        """Sweep what has expired and keep the write-ahead log short, as long as the event loop runs.

        is_alone  whether there is but one request at this time
        """
        self.file.group_writes(is_alone)
        self._background = [
            asyncio.create_task(self._sweep_forever()),
            asyncio.create_task(self.file.checkpoint_forever()),
            asyncio.create_task(self.index.keep()),
        ]
        for task in self._background:
            task.add_done_callback(_report)

    async def close(self) -> None:
        """End the background work and close the file."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        self.index.close()
        self.file.close()

    def container(self, request: Request) -> Container:
        """The container in the path; raises CosmosError 404, or 400 / 1024 for one that the caller knew before."""
        container = self.catalog.container(request.segments[1], request.segments[3])
        intended = request.headers.get(b"x-ms-cosmos-intended-collection-rid")
        if intended is not None and intended != container.rid.encode():
            raise CosmosError(
                400,
                "The container was deleted and created again since the caller has read it.",
                CONTAINER_WAS_RECREATED,
            )
        return container

    def item_headers(self, container: Container, range_id: str) -> dict[str, str]:
        """What tells a client which range answered and how far it is; without all of them it reads the ranges anew."""
        lsn = container.lsn
        return {
            "x-ms-session-token": f"{range_id}:-1#{lsn}",
            "x-ms-documentdb-partitionkeyrangeid": range_id,
            "x-ms-alt-content-path": container.alt_content_path,
            "lsn": str(lsn),
        }

    async def in_reader[T](self, container: Container, work: Callable[[sqlite3.Connection], T]) -> T:
        """Read from a container in a thread, with an index that is made again where it is damaged.

        Raises CosmosError 404 / 1003 where the container was dropped before.
        """
        generation = self.index.generation
        try:
            return await self.file.in_reader(work)
        except sqlite3.DatabaseError as error:
            if container not in self.catalog:
                raise owner_not_found() from None
            if not is_damage(error):
                raise
            await self.index.remake(generation, error)
        return await self.file.in_reader(work)

    def _prepare_index(self) -> None:
        try:
            prepare(self.file.connection, self.catalog.identity)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            _LOG.warning("the index is made again: %s", error)
            self.file.empty_index()
            prepare(self.file.connection, self.catalog.identity)

    async def _sweep_forever(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_EVERY_SECONDS)
            for container in self.catalog.all_containers():
                with failures_logged(f"what has expired stays in {container.alt_content_path}"):
                    sweep(self.file, container, _SWEEP_AT_MOST)


def _report(task: asyncio.Task[None]) -> None:
    """Work in the background has nobody who would hear of its failure."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _LOG.error("the work in the background ended", exc_info=error)
