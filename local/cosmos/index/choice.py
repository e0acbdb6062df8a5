"""Chooses for one query how its candidates are found: by terms of the index, or by going through the items."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from local.cosmos.index.lookups import All, Lookup, Question
from local.cosmos.index.tables import reached
from local.cosmos.index.terms import place_of
from local.cosmos.ranges import Interval
from local.cosmos.storage.catalog import Container

FEW_ITEMS = 100  # going through fewer, of a partition or of a container, is quicker than asking
_MOST_IN_PARTITION = 2_000
_MOST_IN_CONTAINER = 20_000
_MOST_BEHIND = 200  # transactions whose items are gone through, since the index has not seen them


@dataclass(frozen=True, slots=True)
class Found:
    """A SELECT of the numbers of all items that may be in the result, for SQLite."""

    text: str
    values: list[Any]


@dataclass(frozen=True, slots=True)
class _Costed:
    """Lookups, of which at least one finds each item of the result, and how many terms there are in all."""

    lookups: tuple[Lookup, ...]
    terms: int


@dataclass(frozen=True, slots=True)
class Index:
    """What a query can ask the index of its container.

    policy    the indexing policy that the question was made for
    epk       the one partition key that it is about, or None
    interval  where its items lie otherwise
    """

    container: Container
    policy: bytes
    question: Question
    epk: str | None
    interval: Interval

    def find(self, connection: sqlite3.Connection) -> Found | None:
        """None where going through the items in order is the better way."""
        if self.container.last_item < FEW_ITEMS:
            return None
        followed = reached(connection, self.container.number, self.policy)  # before any look at the items
        if self.epk is not None and self._has_few(connection, self.epk):
            return None
        if followed is None or self.container.lsn - followed > _MOST_BEHIND:
            self.container.index_missed = True
            return None
        most = _MOST_IN_CONTAINER if self.epk is None else _MOST_IN_PARTITION
        costed = self._costed(connection, self.question, most)
        return None if costed is None else self._statement(costed.lookups, followed)

    def _has_few(self, connection: sqlite3.Connection, epk: str) -> bool:
        table = self.container.table
        (count,) = connection.execute(
            f"SELECT count(*) FROM (SELECT 1 FROM {table} INDEXED BY {table}_key WHERE epk = ? LIMIT {FEW_ITEMS})",
            (epk,),
        ).fetchone()
        return bool(count < FEW_ITEMS)

    def _costed(self, connection: sqlite3.Connection, question: Question, most: int) -> _Costed | None:
        """The cheapest way with fewer than `most` terms."""
        if isinstance(question, Lookup):
            return self._counted(connection, question, most)
        if isinstance(question, All):
            best: _Costed | None = None
            for part in question.parts:
                found = self._costed(connection, part, most if best is None else best.terms)
                best = found or best
            return best
        lookups: list[Lookup] = []
        total = 0
        for part in question.parts:
            found = self._costed(connection, part, most - total)
            if found is None:
                return None
            lookups += found.lookups
            total += found.terms
        return _Costed(tuple(lookups), total)

    def _counted(self, connection: sqlite3.Connection, lookup: Lookup, most: int) -> _Costed | None:
        if most <= 0:
            return None
        condition, values = self._condition(lookup, with_place=_is_one_value(lookup))
        (count,) = connection.execute(
            f"SELECT count(*) FROM (SELECT 1 FROM terms.{self.container.table}_terms WHERE {condition} LIMIT ?)",
            (*values, most),
        ).fetchone()
        return _Costed((lookup,), count) if count < most else None

    def _condition(self, lookup: Lookup, *, with_place: bool) -> tuple[str, list[Any]]:
        """`with_place` where it is one value: only then the terms lie in the order of their places."""
        condition, values = "path = ?", [lookup.path]
        if lookup.low is not None and lookup.high is not None:
            condition += " AND value = ?" if _is_one_value(lookup) else " AND value >= ? AND value <= ?"
            values += [lookup.low] if _is_one_value(lookup) else [lookup.low, lookup.high]  # type: ignore[list-item]
        if with_place:
            condition += " AND place BETWEEN ? AND ?"
            low, high = (self.epk, self.epk) if self.epk is not None else (self.interval.minimum, self.interval.maximum)
            values += [place_of(low), place_of(high)]
        return condition, values

    def _statement(self, lookups: tuple[Lookup, ...], followed: int) -> Found:
        table = self.container.table
        parts = [f"SELECT number FROM {table} INDEXED BY {table}_lsn WHERE lsn > ?"]
        values: list[Any] = [followed]
        for lookup in dict.fromkeys(lookups):
            condition, own = self._condition(lookup, with_place=True)
            parts.append(f"SELECT number FROM terms.{table}_terms WHERE {condition}")
            values += own
        return Found(" UNION ".join(parts), values)


def _is_one_value(lookup: Lookup) -> bool:
    return lookup.low is not None and lookup.low == lookup.high and type(lookup.low) is type(lookup.high)
