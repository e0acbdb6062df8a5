"""The items of one container: point reads, and transactions that write with one log sequence number."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from local.cosmos.documents import Document, stored_text
from local.cosmos.errors import CosmosError
from local.cosmos.storage.catalog import Container
from local.cosmos.storage.database import Database
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

    def __init__(self, connection: sqlite3.Connection, container: Container) -> None:
        self.container = container
        self._connection = connection
        self.lsn = container.lsn + 1
        self.ts = now()
        self.last_item = container.last_item
        self.count = 0
        self.removed = 0

    def read(self, epk: str, item_id: str) -> StoredItem | None:
        """The item as this transaction has made it."""
        return read_item(self._connection, self.container, epk, item_id)

    def create(self, epk: str, document: Document) -> StoredItem:
        """Raises CosmosError 409 if there is an item of that id under that key; then nothing more may be written."""
        try:
            return self.insert(epk, document)
        except sqlite3.IntegrityError:
            raise CosmosError(409, "Entity with the specified id already exists in the system.") from None

    def insert(self, epk: str, document: Document) -> StoredItem:
        """Create it; the caller has seen that it does not exist. One that has expired makes way."""
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
        self._connection.execute(
            container.insert_statement,
            (
                self.last_item,
                epk,
                document.id,
                self.lsn,
                self.ts,
                document.ttl,
                self._expires(document),
                etag,
                body,
            ),
        )
        return StoredItem(self.last_item, epk, document.id, self.lsn, self.ts, etag, body)

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
            (self.lsn, self.ts, document.ttl, self._expires(document), etag, body, item.number),
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
        return f'"{self.lsn:08x}-{self.count:04x}-{self.container.number:04x}-0000-{self.ts:08x}0000"'

    def _expires(self, document: Document) -> int | None:
        default, own = self.container.default_ttl, document.ttl
        if default is None:
            return None
        ttl = default if own is None else own
        return None if ttl == -1 else self.ts + ttl


@contextmanager
def writing(file: Database, container: Container) -> Iterator[Writes]:
    """A transaction on `container`; the counters go up with it, in the file and in memory."""
    with file.write() as connection:
        writes = Writes(connection, container)
        yield writes
        if writes.count:
            file.count(container.number, writes.lsn, writes.last_item)
    if writes.count:
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
