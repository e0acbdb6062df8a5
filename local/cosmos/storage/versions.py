"""The log of all versions and deletes, kept for containers whose change feed policy asks for it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from local.cosmos.ranges import WHOLE
from local.cosmos.storage.changes import Changes, Wanted, newest_lsn

SCHEMA = """
CREATE TABLE IF NOT EXISTS {table}_versions (lsn INTEGER NOT NULL, place INTEGER NOT NULL, epk TEXT NOT NULL,
    ts INTEGER NOT NULL, operation TEXT NOT NULL, expired INTEGER NOT NULL, current BLOB, previous BLOB,
    previous_lsn INTEGER, PRIMARY KEY (lsn, place)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Version:
    """One step in the life of an item; `current` is None for its end, `previous` for its beginning."""

    lsn: int
    place: int
    epk: str
    ts: int
    operation: str
    current: bytes | None
    previous: bytes | None
    previous_lsn: int | None
    expired: bool = False


def retention_minutes(properties: dict[str, Any]) -> int | None:
    """How long versions are kept; None where the container keeps none."""
    minutes = (properties.get("changeFeedPolicy") or {}).get("retentionDuration")
    return minutes if isinstance(minutes, int) and minutes > 0 else None


def record(connection: sqlite3.Connection, table: str, version: Version) -> None:
    """Within the transaction of the write itself."""
    connection.execute(
        f"INSERT INTO {table}_versions (lsn, place, epk, ts, operation, expired, current, previous, previous_lsn)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            version.lsn,
            version.place,
            version.epk,
            version.ts,
            version.operation,
            version.expired,
            version.current,
            version.previous,
            version.previous_lsn,
        ),
    )


def forget(connection: sqlite3.Connection, table: str, before: int) -> None:
    """Drop what is older than the retention."""
    connection.execute(f"DELETE FROM {table}_versions WHERE ts < ?", (before,))


def read_versions(connection: sqlite3.Connection, table: str, number: int, wanted: Wanted) -> Changes:
    """Every step after a log sequence number; a page never ends within a transaction."""
    conditions = ["lsn > ?"]
    values: list[Any] = [wanted.after]
    if wanted.epk is not None:
        conditions.append("epk = ?")
        values.append(wanted.epk)
    elif wanted.interval != WHOLE:
        conditions.append("epk >= ? AND epk < ?")
        values.extend((wanted.interval.minimum, wanted.interval.maximum))
    changes = Changes(newest_lsn(connection, number))
    size, last = 0, wanted.after
    cursor = connection.execute(
        f"SELECT lsn, ts, operation, expired, current, previous, previous_lsn FROM {table}_versions"
        f" WHERE {' AND '.join(conditions)} ORDER BY lsn, place",
        values,
    )
    try:
        for row in cursor:
            if row[0] != last and (len(changes.rows) >= wanted.items or size >= wanted.size):
                changes.reached = last
                return changes
            changes.rows.append(_row(*row))
            size += len(changes.rows[-1])
            last = row[0]
    finally:
        cursor.close()
    return changes


def _row(
    lsn: int,
    ts: int,
    operation: str,
    expired: int,
    current: bytes | None,
    previous: bytes | None,
    previous_lsn: int | None,
) -> bytes:
    metadata = f'"operationType":"{operation}","lsn":{lsn},"crts":{ts}'
    if previous_lsn is not None:
        metadata += f',"previousImageLSN":{previous_lsn}'
    if expired:
        metadata += ',"timeToLiveExpired":true'
    parts = b'{"current":' + (current or b"{}")
    if previous is not None:
        parts += b',"previous":' + previous
    return parts + b',"metadata":{' + metadata.encode() + b"}}"
