"""Reads the candidates of a query from the container's table, in the order of an index where the query allows it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from local.cosmos.index.choice import Found, Index
from local.cosmos.sql.candidates import Bound, Candidates
from local.cosmos.sql.position import Position
from local.cosmos.storage.catalog import Container
from local.cosmos.storage.items import now


class TooLong(Exception):
    """The scan takes longer than the caller can wait; it has to be run elsewhere, from its beginning."""


@dataclass(slots=True)
class Candidate:
    """An item that may be in the result."""

    number: int
    epk: str
    id: str
    body: bytes


class Order(Enum):
    """In which order the items come; KEY is by partition key and then id, ID by id alone."""

    ANY = "any"
    KEY = "key"
    ID = "id"


# The columns that an order sorts by, and the index that has them.
_COLUMNS = {Order.KEY: ("epk", "id"), Order.ID: ("id", "epk")}


@dataclass(frozen=True, slots=True)
class Scan:
    """The candidates of one query in one container."""

    container: Container
    candidates: Candidates
    order: Order
    backwards: bool = False
    index: Index | None = None

    def items(
        self, connection: sqlite3.Connection, after: Position | None, patience_seconds: float | None
    ) -> Iterator[Candidate]:
        """From the item at `after` on, that one included; raises TooLong when `patience_seconds` are over."""
        give_up_at = None if patience_seconds is None else time.monotonic() + patience_seconds
        found = None if self.index is None else self.index.find(connection)
        cursor = connection.execute(*self.statement(after, found))
        try:
            for row in cursor:
                yield Candidate(*row)
                if give_up_at is not None and time.monotonic() > give_up_at:
                    raise TooLong
        finally:
            cursor.close()

    def is_before(self, item: Candidate, start: Position) -> bool:
        """Whether an item comes before the one at `start`."""
        if start.number < 0:
            return False
        if self.order is Order.ID:
            here, there = (item.id, item.epk), (start.id, start.epk)
        else:
            here, there = (item.epk, item.id), (start.epk, start.id)
        return here > there if self.backwards else here < there

    def statement(self, after: Position | None, among: Found | None = None) -> tuple[str, list[Any]]:
        """The query for SQLite, from the item at `after` on, with its parameters; `among` what the index has found."""
        found = self.candidates
        conditions = ["(items.expires IS NULL OR items.expires > ?)"]
        values: list[Any] = [now()]
        columns = _COLUMNS.get(self.order, ())
        resumes = after is not None and after.number >= 0 and bool(columns)
        for bound in found.bounds:
            # The position says more than these do, and SQLite would begin at the first bound that it finds.
            if not (resumes and self._is_implied(bound)):
                conditions.append(f"items.{bound.column} {bound.operator} ?")
                values.append(bound.value)
        if found.ids is not None:
            conditions.append("items.id IN (SELECT value FROM json_each(?))")
            values.append(found.ids)
        if resumes:
            names = ", ".join(f"items.{column}" for column in columns)
            conditions.append(f"({names}) {'<=' if self.backwards else '>='} (?, ?)")
            values += [getattr(after, column) for column in columns]
        if found.pairs is not None:
            values.insert(0, found.pairs)
        elif among is not None:
            values[:0] = among.values
        ordered = ""
        if columns:
            direction = "DESC" if self.backwards else "ASC"
            ordered = " ORDER BY " + ", ".join(f"items.{column} {direction}" for column in columns)
        text = (
            f"SELECT items.number, items.epk, items.id, items.body FROM {self._source(among)}"
            f" WHERE {' AND '.join(conditions)}{ordered}"
        )
        return text, values

    def _is_implied(self, bound: Bound) -> bool:
        """Whether everything from a position on is within the bound, since the position was."""
        leading = "id" if self.order is Order.ID or self.candidates.epk is not None else "epk"
        return bound.column == leading and bound.operator in (("<", "<=") if self.backwards else (">", ">="))

    def _source(self, among: Found | None) -> str:
        table = self.container.table
        if self.candidates.pairs is not None:
            return (
                f"json_each(?) AS pair CROSS JOIN {table} AS items"
                " ON items.epk = pair.value ->> 0 AND items.id = pair.value ->> 1"
            )
        if among is not None:
            return f"({among.text}) AS found CROSS JOIN {table} AS items ON items.number = found.number"
        if self.candidates.epk is not None or self.order is Order.KEY:
            return f"{table} AS items INDEXED BY {table}_key"
        if self.order is Order.ID:
            return f"{table} AS items INDEXED BY {table}_id"
        return f"{table} AS items"
