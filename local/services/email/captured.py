"""Everything that was asked of the email service, request by request, kept in SQLite over restarts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS request (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    received REAL NOT NULL,
    operation TEXT NOT NULL,
    status INTEGER NOT NULL,
    reason TEXT NOT NULL,
    outcome TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS request_by_operation ON request (operation, status);
CREATE INDEX IF NOT EXISTS request_by_time ON request (received);
"""
ACCEPTED = 202


@dataclass(frozen=True, slots=True)
class SendRequest:
    """One request to send, accepted or not.

    number     counts all requests, also repeated ones
    received   seconds since 1970
    operation  the Operation-Id, in lower case
    status     the answer's; 202 = accepted
    reason     why it was refused, or ""
    outcome    how the operation ends once accepted: Succeeded or Failed
    body       as it came
    """

    number: int
    received: float
    operation: str
    status: int
    reason: str
    outcome: str
    body: str


class Captured:
    """The kept requests; each is on disk before it is answered."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.executescript(SCHEMA)

    def add(
        self, received: float, operation: str, status: int, body: str, *, reason: str = "", outcome: str = "Succeeded"
    ) -> None:
        """Keep one request."""
        with self._connection:
            self._connection.execute(
                "INSERT INTO request (received, operation, status, reason, outcome, body) VALUES (?, ?, ?, ?, ?, ?)",
                (received, operation, status, reason, outcome, body),
            )

    def requests(self, operation: str | None = None) -> Iterator[SendRequest]:
        """All requests, the oldest first; of one operation where it is named."""
        rows = self._connection.execute(
            "SELECT number, received, operation, status, reason, outcome, body FROM request"
            " WHERE ? IS NULL OR operation = ? ORDER BY number",
            (operation, operation),
        )
        return (SendRequest(*row) for row in rows)

    def accepted(self, operation: str) -> SendRequest | None:
        """The first accepted request of an operation."""
        return next((one for one in self.requests(operation) if one.status == ACCEPTED), None)

    def accepted_since(self, moment: float) -> list[float]:
        """When requests were accepted after `moment`, the oldest first."""
        rows = self._connection.execute(
            "SELECT received FROM request WHERE status = ? AND received > ? ORDER BY received", (ACCEPTED, moment)
        )
        return [received for (received,) in rows]

    def clear(self) -> None:
        """Forget every request."""
        with self._connection:
            self._connection.execute("DELETE FROM request")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
