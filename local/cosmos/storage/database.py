"""The SQLite file: one connection that writes, a few threads that read a snapshot of their own."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from local.cosmos.storage.locks import lock

_LOG = logging.getLogger("local.cosmos")
_CHECKPOINT_EVERY_SECONDS = 1.0
_CHECKPOINT_PAGES = 1000
_LAST_RESORT_PAGES = 20_000  # the writer checkpoints by itself only when the background one cannot keep up


_INDEX_FILE = "index.sqlite"
_READ_SCHEMA = "SELECT count(*) FROM sqlite_master"
_PRAGMAS = (
    "busy_timeout = 10000",
    "temp_store = MEMORY",
    "main.journal_mode = WAL",
    "main.synchronous = NORMAL",
    "main.cache_size = -4000",
    "terms.journal_mode = WAL",
    "terms.synchronous = NORMAL",
    "terms.cache_size = -4000",
)
# The one connection of the event loop looks items up by key all over the file; the others mostly go through it once.
_LOOKUP_CACHE = "main.cache_size = -24000"


class DataInUse(Exception):
    """Another server has the data; two would give out the same numbers."""


class Work:
    """What one request writes: as one with what others write in the same group, or by itself.

    Most requests write with a single statement, which is whole by itself: only for more of them a transaction is begun.
    """

    def __init__(self, connection: sqlite3.Connection, *, is_alone: bool) -> None:
        self._connection, self._is_alone = connection, is_alone
        self._is_begun = False

    @property
    def connection(self) -> sqlite3.Connection:
        """For any number of statements: from the first one on they are taken back together."""
        if not self._is_begun:
            # IMMEDIATE would also wait for whoever writes the index
            self._connection.execute("BEGIN" if self._is_alone else "SAVEPOINT request")
            self._is_begun = True
        return self._connection

    @property
    def last_statement(self) -> sqlite3.Connection:
        """For one statement after which there are no more."""
        return self._connection

    def end(self) -> None:
        """Keep what was written; where this fails, `undo` it."""
        if self._is_begun:
            self._connection.execute("COMMIT" if self._is_alone else "RELEASE request")

    def undo(self) -> None:
        """Take back what was written."""
        if not self._is_begun or not self._connection.in_transaction:
            return  # where the disk is full SQLite has ended it; a group takes nothing more then, and fails
        if self._is_alone:
            self._connection.execute("ROLLBACK")
        else:
            self._connection.execute("ROLLBACK TO request")
            self._connection.execute("RELEASE request")


class Database:
    """Opens or creates `path`. What is committed survives the death of this process, not a power cut.

    Raises DataInUse if another process still has it after `wait_seconds`: one that was told to stop may take a moment.
    """

    def __init__(self, path: Path, wait_seconds: float = 0) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(path.with_name(path.name + ".lock"), time.monotonic() + wait_seconds)
        _discard_unreadable(path.with_name(_INDEX_FILE))
        self.connection = self.open()
        self.connection.execute(f"PRAGMA {_LOOKUP_CACHE}")
        self.connection.execute(f"PRAGMA wal_autocheckpoint = {_LAST_RESORT_PAGES}")
        self._readers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="cosmos-reader")
        self._local = threading.local()
        self._closing = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_alone: Callable[[], bool] = bool
        self.group: asyncio.Future[None] | None = None

    def group_writes(self, is_alone: Callable[[], bool]) -> None:
        """From now on the writes that one turn of the event loop brings are committed together, at its end.

        Whatever is answered meanwhile may rest on them, so it waits for `group`, which fails where the commit does.

        is_alone  whether there is but one request at this time, so that no other write can come with its
        """
        self._loop, self._is_alone = asyncio.get_running_loop(), is_alone

    def begin(self) -> Work:
        """What is written by it until its `end` is written as a whole, or not at all.

        When that is sure to stay is told by `group`; at once where there is none.
        """
        # Where nobody else is waiting, there is nothing to wait for.
        if self._loop is None or (self.group is None and self._is_alone()):
            return Work(self.connection, is_alone=True)
        if self.group is None:
            self.connection.execute("BEGIN")
            self.group = self._loop.create_future()
            self._loop.call_soon(self.commit_group)
        elif not self.connection.in_transaction:  # as where the disk is full: nothing may be kept of the group
            raise sqlite3.OperationalError("what was written with this request was taken back")
        return Work(self.connection, is_alone=False)

    def commit_group(self) -> None:
        """Commit what is written so far, and let its answers go."""
        group, self.group = self.group, None
        if group is None:
            return
        try:
            self.connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            if not group.done():
                group.set_exception(error)
        else:
            if not group.done():  # it is when the server was told to stop and gave up on those who wait
                group.set_result(None)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside is written at once, or nothing is."""
        self.commit_group()
        self.connection.execute("BEGIN")
        try:
            yield self.connection
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:  # where the disk is full SQLite has ended it
                self.connection.execute("ROLLBACK")
            raise

    async def in_reader[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run a long read in a thread, on one state of the data, beside whatever is written meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._snapshot, work)

    def _snapshot[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self.open()
        connection.execute("BEGIN")
        try:
            return work(connection)
        finally:
            connection.execute("ROLLBACK")

    async def checkpoint_forever(self) -> None:
        """Move what is in the write-ahead log into the file, away from the requests; ends with `close`."""
        while not self._closing.is_set():
            try:
                await asyncio.wait_for(self._closing.wait(), _CHECKPOINT_EVERY_SECONDS)
            except TimeoutError:
                wal = self._path.with_name(self._path.name + "-wal")
                if wal.exists() and wal.stat().st_size > _CHECKPOINT_PAGES * 4096:
                    with failures_logged("the write-ahead log stays as long as it is"):
                        await asyncio.get_running_loop().run_in_executor(self._readers, self._checkpoint)

    def _checkpoint(self) -> None:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self.open()
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def empty_index(self) -> None:
        """Make the file of the index an empty one, whatever is in it, under the connections that have it open."""
        index = self._path.with_name(_INDEX_FILE)
        if (error := _unreadable(index)) is not None and error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            with index.open("r+b") as file:
                file.write(_first_page())  # says that there is a write-ahead log, which the others have open
        connection = sqlite3.connect(index, isolation_level=None)
        try:
            # Only what was read before is written to the write-ahead log; what cannot be read does no harm.
            with suppress(sqlite3.DatabaseError):
                connection.execute(_READ_SCHEMA).fetchone()
            connection.setconfig(sqlite3.SQLITE_DBCONFIG_RESET_DATABASE, True)
            connection.execute("VACUUM")
        finally:
            connection.close()

    def close(self) -> None:
        """Finish the reads that run and close the file."""
        self._closing.set()
        self.commit_group()
        self._readers.shutdown()
        self.connection.close()
        self._lock.close()

    def open(self) -> sqlite3.Connection:
        """A connection to the file, with that of the index attached as `terms`."""
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, cached_statements=512)
        connection.execute("ATTACH DATABASE ? AS terms", (str(self._path.with_name(_INDEX_FILE)),))
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        return connection


@contextmanager
def failures_logged(consequence: str) -> Iterator[None]:
    """For work in the background: what SQLite refuses now, as on a full disk, is tried again the next time."""
    try:
        yield
    except sqlite3.Error:
        _LOG.exception(consequence)


def _discard_unreadable(index: Path) -> None:
    """Remove an index that is no SQLite file any more; it is made again from the items."""
    if not index.exists():
        return
    error = _unreadable(index)
    if error is None:
        return
    _LOG.warning("%s is damaged (%s) and is made again", index, error)
    for name in (index.name, f"{index.name}-wal", f"{index.name}-shm"):
        index.with_name(name).unlink(missing_ok=True)


def _unreadable(file: Path) -> sqlite3.DatabaseError | None:
    """Why it is no database; raises sqlite3.OperationalError where it may be one, and cannot be opened."""
    connection = sqlite3.connect(file)
    try:
        connection.execute(_READ_SCHEMA).fetchone()
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        return error
    finally:
        connection.close()
    return None


def _first_page() -> bytes:
    """The whole of an empty database that has a write-ahead log."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "empty.sqlite"
        connection = sqlite3.connect(file)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.close()
        return file.read_bytes()


def _locked(path: Path, until: float) -> IO[bytes]:
    """An open file that no other process has locked; the lock ends with the process, however that ends."""
    file = path.open("ab")
    while True:
        try:
            lock(file)
        except OSError:
            if time.monotonic() < until:
                time.sleep(0.05)
                continue
            file.close()
            raise DataInUse(f"another server uses {path.parent}") from None
        return file
