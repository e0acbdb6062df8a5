"""Keeps the index behind the items, in a thread of its own and while requests leave room for it."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from local.cosmos.index import tables
from local.cosmos.index.choice import FEW_ITEMS
from local.cosmos.index.tables import Follower, is_damage
from local.cosmos.storage.catalog import Catalog, Container
from local.cosmos.storage.database import Database, failures_logged

PATH = ["_local", "index"]
_LOOK_EVERY_SECONDS = 0.1
_QUIET_SECONDS = 0.2  # so long nobody has asked for anything when items are taken in
_REMOVED_BEFORE_SWEEP = 5_000
_AFTER_FAILURE_SECONDS = 1.0
_LOG = logging.getLogger("local.cosmos")


class IndexKeeper:
    """Takes new items into the index when the server is quiet, or at once where a query has missed them."""

    def __init__(self, catalog: Catalog, file: Database) -> None:
        self._catalog, self._file = catalog, file
        self._followers: dict[int, Follower] = {}
        self._reached: dict[int, int] = {}
        self._swept: dict[int, int] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cosmos-index")
        self._connection: sqlite3.Connection | None = None
        self._remaking = asyncio.Lock()
        self.generation = 0  # how often the index was made again
        self.last_request = 0.0

    def behind(self, container: Container) -> int:
        """How many transactions are not in the index."""
        if not self._is_followed(container):
            return 0
        return container.lsn - self._reached.get(container.number, 0)

    def described(self) -> bytes:
        """How far behind the index of each container is, as JSON."""
        return msgspec.json.encode({one.alt_content_path: self.behind(one) for one in self._catalog.all_containers()})

    async def keep(self) -> None:
        """Until it is cancelled; what fails is tried again."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
            generation = self.generation
            try:
                await self._look()
            except sqlite3.Error as error:
                with failures_logged("the index stays behind the items"):
                    if not is_damage(error):
                        raise
                    await self.remake(generation, error)
                await asyncio.sleep(_AFTER_FAILURE_SECONDS)

    async def remake(self, generation: int, why: sqlite3.Error) -> None:
        """Begin anew with an empty index, unless that was done since `generation`; raises sqlite3.Error."""
        async with self._remaking:
            if generation != self.generation:
                return
            _LOG.warning("the index is made again: %s", why)
            # First without a connection of this thread's own: none can be opened to some damaged files.
            await asyncio.get_running_loop().run_in_executor(self._thread, self._file.empty_index)
            await self._run(lambda connection: tables.prepare(connection, self._catalog.identity))
            self._followers.clear()
            self._reached.clear()
            self._swept.clear()
            self.generation += 1

    async def _look(self) -> None:
        """Follow each container as far as there is time."""
        for container in list(self._catalog.all_containers()):
            try:
                if self._is_followed(container):
                    await self._follow(container)
            except sqlite3.OperationalError:
                if container in self._catalog:
                    raise
                # It was dropped, with its table, while it was looked through.
            container.index_missed = False
        there = {container.number for container in self._catalog.all_containers()}
        for number in self._followers.keys() - there:
            del self._followers[number]
            await self._run(lambda connection, gone=number: tables.forget(connection, gone))  # type: ignore[misc]

    def close(self) -> None:
        """Waits for the step that runs."""
        self._thread.shutdown()
        if self._connection is not None:
            self._connection.close()

    async def _follow(self, container: Container) -> None:
        number = container.number
        follower = self._followers.get(number)
        if follower is None or follower.policy != container.policy.text:
            follower = self._followers[number] = Follower.of(container)
            self._reached.pop(number, None)
        while self._reached.get(number) != container.lsn and (self._is_quiet() or container.index_missed):
            self._reached[number] = await self._run(follower.step)
        if self._is_quiet() and (
            number not in self._swept or container.removed - self._swept[number] >= _REMOVED_BEFORE_SWEEP
        ):
            self._swept[number] = container.removed
            await self._run(follower.sweep)

    def _is_followed(self, container: Container) -> bool:
        """Whether it has an index to keep: not where there are few items, or where the policy asks for none."""
        return container.last_item >= FEW_ITEMS and container.policy.has_paths

    def _is_quiet(self) -> bool:
        return time.monotonic() - self.last_request > _QUIET_SECONDS

    async def _run[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._with_connection, work)

    def _with_connection[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._connection is None:
            self._connection = self._file.open()
        return work(self._connection)
