"""The counters of a container: its newest log sequence number, and the number of its newest item.

The items tell them; the table `containers` has them as they were when items were last removed, which cannot tell any
more. So a write that removes nothing writes nothing but its items.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple


class Counters(NamedTuple):
    """Both only grow."""

    lsn: int
    last_item: int


def counters(connection: sqlite3.Connection, container: int) -> Counters | None:
    """As last committed; None where the container was dropped."""
    kept = connection.execute("SELECT lsn, last_item FROM containers WHERE number = ?", (container,)).fetchone()
    if kept is None:
        return None
    newest = connection.execute(
        f"SELECT (SELECT max(lsn) FROM items_{container}), (SELECT max(number) FROM items_{container})"
    ).fetchone()
    return Counters(max(kept[0], newest[0] or 0), max(kept[1], newest[1] or 0))


def keep(connection: sqlite3.Connection, container: int, now: Counters) -> None:
    """Within the transaction that removes items."""
    connection.execute("UPDATE containers SET lsn = ?, last_item = ? WHERE number = ?", (*now, container))
