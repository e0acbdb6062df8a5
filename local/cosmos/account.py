"""The account: the file it keeps, its catalog, its physical partitions and its key."""

from __future__ import annotations

import asyncio
from pathlib import Path

from local.cosmos.ranges import Ranges
from local.cosmos.signature import AccountKey
from local.cosmos.storage.catalog import Catalog, Container
from local.cosmos.storage.database import Database
from local.cosmos.storage.items import sweep_expired

_SWEEP_EVERY_SECONDS = 5.0
_SWEEP_AT_MOST = 500


class Account:
    """Opens the data directory; `start` begins the work in the background, `close` ends it."""

    def __init__(self, directory: Path, key: str, range_count: int) -> None:
        self.key = AccountKey(key)
        self.ranges = Ranges(range_count)
        self.file = Database(directory / "cosmos.sqlite")
        self.catalog = Catalog(self.file)
        self._background: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Sweep what has expired and keep the write-ahead log short, as long as the event loop runs."""
        self._background = [
            asyncio.create_task(self._sweep_forever()),
            asyncio.create_task(self.file.checkpoint_forever()),
        ]

    async def close(self) -> None:
        """End the background work and close the file."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        self.file.close()

    def item_headers(self, container: Container, range_id: str) -> dict[str, str]:
        """What tells a client which range answered and how far it is; without all of them it reads the ranges anew."""
        lsn = container.lsn
        return {
            "x-ms-session-token": f"{range_id}:-1#{lsn}",
            "x-ms-documentdb-partitionkeyrangeid": range_id,
            "x-ms-alt-content-path": container.alt_content_path,
            "lsn": str(lsn),
        }

    async def _sweep_forever(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_EVERY_SECONDS)
            for container in list(self.catalog.all_containers()):
                while container.id in container.database.containers and (
                    sweep_expired(self.file, container, _SWEEP_AT_MOST) == _SWEEP_AT_MOST
                ):
                    await asyncio.sleep(0)
