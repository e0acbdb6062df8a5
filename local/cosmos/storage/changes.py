"""The change feed of a container: its items in the order in which they were last written."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import Any

from local.cosmos.errors import owner_not_found
from local.cosmos.ranges import WHOLE, Interval
from local.cosmos.storage.counters import counters


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which changes: after a log sequence number, of one partition key or an interval, from a second on; how many."""

    after: int
    epk: str | None
    interval: Interval
    from_second: int | None
    items: int
    size: int


@dataclass(slots=True)
class Changes:
    """One page, and the log sequence number up to which it has read."""

    reached: int
    rows: list[bytes] = field(default_factory=list)


def newest_lsn(connection: sqlite3.Connection, number: int) -> int:
    """The last `lsn` of a container; raises CosmosError 404 / 1003 where it was dropped."""
    found = counters(connection, number)
    if found is None:
        raise owner_not_found()
    return found.lsn


def read_changes(connection: sqlite3.Connection, table: str, number: int, wanted: Wanted, now: int) -> Changes:
    """A page never ends within a transaction, so it may have more items than were asked for."""
    conditions: list[str] = ["lsn > ?", "(expires IS NULL OR expires > ?)"]
    parameters: list[Any] = [wanted.after, now]
    index = f"{table}_lsn"
    if wanted.epk is not None:
        conditions.append("epk = ?")
        parameters.append(wanted.epk)
        index = f"{table}_key"
    elif wanted.interval != WHOLE:
        conditions.append("epk >= ? AND epk < ?")
        parameters.extend((wanted.interval.minimum, wanted.interval.maximum))
    if wanted.from_second is not None:
        conditions.append("ts >= ?")
        parameters.append(wanted.from_second)
    changes = Changes(newest_lsn(connection, number))
    size, last = 0, wanted.after
    cursor = connection.execute(
        f"SELECT lsn, body FROM {table} INDEXED BY {index} WHERE {' AND '.join(conditions)} ORDER BY lsn, number",
        parameters,
    )
    try:
        for lsn, body in cursor:
            if lsn != last and (len(changes.rows) >= wanted.items or size >= wanted.size):
                changes.reached = last
                return changes
            changes.rows.append(b'%b,"_lsn":%d}' % (body[:-1], lsn))
            size += len(body)
            last = lsn
    finally:
        cursor.close()
    return changes
