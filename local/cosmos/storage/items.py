"""The items of one container: point reads, and transactions that write with one log sequence number."""

from __future__ import annotations

import sqlite3
import time
from itertools import batched, chain
from typing import Any, NamedTuple

import msgspec

from local.cosmos.documents import Document, stored_text
from local.cosmos.errors import CosmosError
from local.cosmos.storage.catalog import INSERTED_AT_ONCE, Container
from local.cosmos.storage.counters import Counters, keep
from local.cosmos.storage.database import Database, Work
from local.cosmos.storage.unique_keys import claim
from local.cosmos.storage.versions import Version, forget, record

_COLUMNS = "number, epk, id, lsn, ts, etag, body"
_ALIVE = "(expires IS NULL OR expires > ?)"


class StoredItem(NamedTuple):
    """One item as it is kept; `number` is its place in the order of creation, and makes its `_rid`."""

    number: int
    epk: str
    id: str
    lsn: int
    ts: int
    etag: str
    body: bytes


class AlreadyExistsError(CosmosError):
    """409: under the key of a new item there is one of the same id; `number` is the new one's."""

    def __init__(self, number: int) -> None:
        super().__init__(409, "Entity with the specified id already exists in the system.")
        self.number = number


def read_item(connection: sqlite3.Connection, container: Container, epk: str, item_id: str) -> StoredItem | None:
    """The item, unless it does not exist or has expired."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM {container.table} WHERE epk = ? AND id = ? AND {_ALIVE}", (epk, item_id, now())
    ).fetchone()
    return None if row is None else StoredItem._make(row)


def now() -> int:
    """This second, as `_ts` counts them."""
    return int(time.time())


class Writes:
    """A transaction on one container: all its writes share one `lsn` and one `_ts`."""

    def __init__(self, work: Work, container: Container) -> None:
        self.container = container
        self._work = work
        self.lsn = container.lsn + 1
        self.ts = now()
        self.last_item = container.last_item
        self.count = 0
        self.removed = 0
        self._etag_head = f'"{self.lsn:08x}-'
        self._etag_tail = f'-{container.number:04x}-0000-{self.ts:08x}0000"'
        self._new: list[tuple[Any, ...]] = []

    def read(self, epk: str, item_id: str) -> StoredItem | None:
        """The item as this transaction has made it; raises AlreadyExistsError for one that was to be created before."""
        if self._new:
            self.flush()
        return read_item(self._connection, self.container, epk, item_id)

    def create(self, epk: str, document: Document) -> StoredItem:
        """A new item; that there is one of its id under that key already is told by `flush`.

        One that has expired makes way.
        """
        container = self.container
        if container.default_ttl is not None:
            self._connection.execute(
                f"DELETE FROM {container.table} WHERE epk = ? AND id = ? AND expires <= ?", (epk, document.id, self.ts)
            )
        self.last_item += 1
        etag = self._next_etag()
        body = stored_text(container, document, self.last_item, etag, self.ts)
        if container.unique_keys:
            self._delete_expired(epk)
            claim(self._connection, container.table, container.unique_keys, epk, self.last_item, document.fields)
        self._record("create", epk, body, None)
        item_id, ttl = document.id, document.ttl
        expires = None if container.default_ttl is None else self._expires(ttl)
        self._new.append((self.last_item, epk, item_id, self.lsn, self.ts, ttl, expires, etag, body))
        return StoredItem(self.last_item, epk, item_id, self.lsn, self.ts, etag, body)

    def flush(self, *, is_last: bool = False) -> None:
        """Write what was created; raises AlreadyExistsError, and then nothing more may be written.

        is_last  nothing else is written in the transaction
        """
        new, self._new = self._new, []
        if not new:
            return
        is_whole = is_last and len(new) in (1, INSERTED_AT_ONCE)
        connection = self._work.last_statement if is_whole else self._connection
        for rows in batched(new, INSERTED_AT_ONCE, strict=False):
            if len(rows) == INSERTED_AT_ONCE:
                try:
                    connection.execute(self.container.insert_several, list(chain.from_iterable(rows)))
                    continue
                except sqlite3.IntegrityError:
                    connection = self._connection  # nothing of it is written; one by one they tell which it is
            for row in rows:
                try:
                    connection.execute(self.container.insert_one, row)
                except sqlite3.IntegrityError:
                    raise AlreadyExistsError(row[0]) from None

    def update(self, item: StoredItem, document: Document) -> StoredItem:
        """Replace the content of an item that exists."""
        etag = self._next_etag()
        body = stored_text(self.container, document, item.number, etag, self.ts)
        if self.container.unique_keys:
            keys = self.container.unique_keys
            claim(self._connection, self.container.table, keys, item.epk, item.number, document.fields)
        self._record("replace", item.epk, body, item)
        self._connection.execute(
            f"UPDATE {self.container.table} SET lsn = ?, ts = ?, ttl = ?, expires = ?, etag = ?, body = ?"
            " WHERE number = ?",
            (self.lsn, self.ts, document.ttl, self._expires(document.ttl), etag, body, item.number),
        )
        return StoredItem(item.number, item.epk, document.id, self.lsn, self.ts, etag, body)

    def delete(self, item: StoredItem) -> None:
        """The item is gone when the transaction ends."""
        self.count += 1
        self.removed += 1
        self._record("delete", item.epk, None, item)
        self._connection.execute(f"DELETE FROM {self.container.table} WHERE number = ?", (item.number,))

    def delete_partition(self, epk: str) -> None:
        """All items of one partition key."""
        rows = self._connection.execute(f"SELECT {_COLUMNS} FROM {self.container.table} WHERE epk = ?", (epk,))
        for row in rows.fetchall():
            self.delete(StoredItem._make(row))

    def delete_expired(self, at_most: int) -> None:
        """Items whose time is over, some of them if there are many."""
        table = self.container.table
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM {table} WHERE expires <= ? LIMIT ?", (self.ts, at_most)
        ).fetchall()
        for item in map(StoredItem._make, rows):
            self.count += 1
            self.removed += 1
            self._record("delete", item.epk, None, item, expired=True)
        numbers = msgspec.json.encode([row[0] for row in rows]).decode()
        self._connection.execute(f"DELETE FROM {table} WHERE number IN (SELECT value FROM json_each(?))", (numbers,))

    @property
    def _connection(self) -> sqlite3.Connection:
        return self._work.connection

    def _delete_expired(self, epk: str) -> None:
        """What has expired does not hold its unique values any more."""
        self._connection.execute(f"DELETE FROM {self.container.table} WHERE epk = ? AND expires <= ?", (epk, self.ts))

    def _record(
        self, operation: str, epk: str, current: bytes | None, before: StoredItem | None, *, expired: bool = False
    ) -> None:
        if self.container.keeps_versions_minutes is None:
            return
        previous, lsn = (None, None) if before is None else (before.body, before.lsn)
        version = Version(self.lsn, self.count, epk, self.ts, operation, current, previous, lsn, expired)
        record(self._connection, self.container.table, version)

    def _next_etag(self) -> str:
        self.count += 1
        return f"{self._etag_head}{self.count:04x}{self._etag_tail}"

    def _expires(self, own: int | None) -> int | None:
        default = self.container.default_ttl
        if default is None:
            return None
        ttl = default if own is None else own
        return None if ttl == -1 else self.ts + ttl


class writing:  # noqa: N801 - used as what it is read as: `with writing(file, container) as writes`
    """A transaction on `container`; the counters go up with it, in the file and in memory.

    Raises AlreadyExistsError for what was to be created, also where something else has failed after it.
    """

    def __init__(self, file: Database, container: Container) -> None:
        self._file, self._container = file, container

    def __enter__(self) -> Writes:
        self._work = self._file.begin()
        self._writes = Writes(self._work, self._container)
        return self._writes

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        writes, container = self._writes, self._container
        try:
            if error is None:
                writes.flush(is_last=not writes.removed)
                if writes.removed:
                    keep(self._work.connection, container.number, Counters(writes.lsn, writes.last_item))
                self._work.end()
            elif isinstance(error, CosmosError):
                writes.flush()
        except BaseException:
            self._work.undo()
            raise
        if error is not None:
            self._work.undo()
        elif writes.count:
            container.lsn, container.last_item = writes.lsn, writes.last_item
            container.removed += writes.removed


def sweep(file: Database, container: Container, at_most: int) -> None:
    """Remove items whose time is over, and versions that are older than their retention."""
    if container.default_ttl is not None and _any_expired(file.connection, container):
        with writing(file, container) as writes:
            writes.delete_expired(at_most)
    if container.keeps_versions_minutes is not None:
        forget(file.connection, container.table, now() - 60 * container.keeps_versions_minutes)


def _any_expired(connection: sqlite3.Connection, container: Container) -> bool:
    found = connection.execute(f"SELECT 1 FROM {container.table} WHERE expires <= ? LIMIT 1", (now(),)).fetchone()
    return found is not None
