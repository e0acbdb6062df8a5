"""The tables of the index: for each container its terms, which of them each item has, and how far it has followed.

The file can be made again from the items at any time. It is one of its own so that it can be written beside the items,
and every connection has it attached as `terms`. A connection that reads both must look at `progress` first: then the
items that it sees are those that the index has seen, or newer, and the newer ones are found by their `lsn`.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

import msgspec

from local.cosmos.index.terms import Term, Terms, place_of
from local.cosmos.storage.catalog import Container
from local.cosmos.storage.counters import counters

_SCHEMA = """
CREATE TABLE IF NOT EXISTS terms.account (identity TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS terms.progress (container INTEGER PRIMARY KEY, policy BLOB NOT NULL, lsn INTEGER NOT NULL);
"""
_TABLES = """
CREATE TABLE terms.{table}_terms (path INTEGER NOT NULL, value NOT NULL, place INTEGER NOT NULL,
    number INTEGER NOT NULL, PRIMARY KEY (path, value, place, number)) WITHOUT ROWID;
CREATE TABLE terms.{table}_held (number INTEGER PRIMARY KEY, place INTEGER NOT NULL, terms BLOB NOT NULL);
"""
_MOST_ITEMS = 500  # of one step; a transaction has fewer, and is never split
_encode, _decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(list[tuple[int, Any]]).decode


class DamagedIndexError(sqlite3.DatabaseError):
    """Something in the index is not what was written there."""


def is_damage(error: sqlite3.Error) -> bool:
    """Whether a file is not what SQLite has written, be it that of the index or that of the items."""
    # The lowest byte is the kind of error, the rest says where it was found.
    kind = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    return isinstance(error, DamagedIndexError) or kind in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def prepare(connection: sqlite3.Connection, identity: str) -> None:
    """Make the tables of the file; what belongs to other items, or to containers that are no more, is dropped."""
    connection.executescript(_SCHEMA)
    known = connection.execute("SELECT identity FROM terms.account").fetchone()
    gone = "" if known != (identity,) else " WHERE container NOT IN (SELECT number FROM main.containers)"
    for (container,) in connection.execute(f"SELECT container FROM terms.progress{gone}").fetchall():
        forget(connection, container)
    if known == (identity,):
        return
    connection.execute("DELETE FROM terms.account")
    connection.execute("INSERT INTO terms.account VALUES (?)", (identity,))


def reached(connection: sqlite3.Connection, number: int, policy: bytes) -> int | None:
    """The `lsn` up to which the index of a container has followed its items; None where it does not for this policy."""
    row = connection.execute(
        "SELECT lsn FROM terms.progress WHERE container = ? AND policy = ?", (number, policy)
    ).fetchone()
    return None if row is None else row[0]


def forget(connection: sqlite3.Connection, number: int) -> None:
    """Drop the terms of a container that is no more, or has another policy now."""
    for kind in ("terms", "held"):
        connection.execute(f"DROP TABLE IF EXISTS terms.items_{number}_{kind}")
    connection.execute("DELETE FROM terms.progress WHERE container = ?", (number,))


@dataclass(slots=True)
class Follower:
    """Brings the index of one container up to date, step by step, in one thread."""

    container: Container
    terms: Terms
    policy: bytes

    @classmethod
    def of(cls, container: Container) -> Follower:
        """For the policy that the container has now."""
        policy = container.policy
        return cls(container, Terms(policy), policy.text)

    def step(self, connection: sqlite3.Connection) -> int:
        """Take in the next items; gives the `lsn` that has been reached."""
        connection.execute("BEGIN")
        try:
            after = self._begun(connection)
            rows, upto = self._next(connection, after)
            self._take_in(connection, rows)
            connection.execute("UPDATE terms.progress SET lsn = ? WHERE container = ?", (upto, self.container.number))
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        return upto

    def sweep(self, connection: sqlite3.Connection) -> None:
        """Drop the terms of items that are no more; until then they are found and looked for in vain."""
        table = self.container.table
        connection.execute("BEGIN")
        try:
            self._begun(connection)
            gone = connection.execute(
                f"SELECT number, place, terms FROM terms.{table}_held WHERE number NOT IN (SELECT number FROM {table})"
            ).fetchall()
            for number, place, held in gone:
                self._drop(connection, number, place, _held(held))
            connection.executemany(f"DELETE FROM terms.{table}_held WHERE number = ?", [row[:1] for row in gone])
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def _begun(self, connection: sqlite3.Connection) -> int:
        row = connection.execute(
            "SELECT lsn, policy FROM terms.progress WHERE container = ?", (self.container.number,)
        ).fetchone()
        # A power cut may take the last items but not their terms: then the numbers are given out again.
        if row is not None and row[1] == self.policy and row[0] <= self._newest(connection):
            return int(row[0])
        forget(connection, self.container.number)
        for statement in _TABLES.split(";")[:-1]:
            connection.execute(statement.format(table=self.container.table))
        connection.execute("INSERT INTO terms.progress VALUES (?, ?, 0)", (self.container.number, self.policy))
        return 0

    def _newest(self, connection: sqlite3.Connection) -> int:
        found = counters(connection, self.container.number)
        return 0 if found is None else found.lsn

    def _next(self, connection: sqlite3.Connection, after: int) -> tuple[list[Any], int]:
        """Items that were written after `after`, whole transactions of them, and up to where."""
        newest, table = self._newest(connection), self.container.table
        rows = connection.execute(
            f"SELECT number, epk, lsn, body FROM {table} INDEXED BY {table}_lsn WHERE lsn > ? ORDER BY lsn LIMIT ?",
            (after, _MOST_ITEMS),
        ).fetchall()
        if len(rows) < _MOST_ITEMS:
            return rows, newest
        last = rows[-1][2]
        return [row for row in rows if row[2] < last], last - 1

    def _take_in(self, connection: sqlite3.Connection, rows: list[Any]) -> None:
        table = self.container.table
        new: list[tuple[Any, ...]] = []
        for number, epk, _, body in rows:
            place, terms = place_of(epk), self.terms.of(msgspec.json.decode(body))
            row = connection.execute(f"SELECT terms FROM terms.{table}_held WHERE number = ?", (number,)).fetchone()
            if row is not None:
                before = set(_held(row[0]))
                self._drop(connection, number, place, before - terms)
                added = terms - before
            else:
                added = terms
            new.extend((path, value, place, number) for path, value in added)
            connection.execute(
                f"INSERT OR REPLACE INTO terms.{table}_held VALUES (?, ?, ?)", (number, place, _encode(list(terms)))
            )
        new.sort(key=_by_path)
        connection.executemany(f"INSERT OR IGNORE INTO terms.{table}_terms VALUES (?, ?, ?, ?)", new)

    def _drop(self, connection: sqlite3.Connection, number: int, place: int, terms: set[Term] | list[Term]) -> None:
        connection.executemany(
            f"DELETE FROM terms.{self.container.table}_terms WHERE path = ? AND value = ? AND place = ? AND number = ?",
            [(path, value, place, number) for path, value in terms],
        )


def _held(terms: bytes) -> list[Term]:
    try:
        return _decode(terms)
    except msgspec.DecodeError as error:
        raise DamagedIndexError(str(error)) from None


def _by_path(row: tuple[Any, ...]) -> int:
    return row[0]  # type: ignore[no-any-return]
