"""Runs a compiled query over the items of a container, one page at a time, each on one state of the data."""

from __future__ import annotations

import heapq
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from local.cosmos.index.choice import Index
from local.cosmos.index.lookups import question_of
from local.cosmos.ranges import Scope
from local.cosmos.sql.candidates import Candidates, candidates, conjuncts, path_of, root_alias
from local.cosmos.sql.compiler import Compiler
from local.cosmos.sql.position import Position
from local.cosmos.sql.scan import Candidate, Order, Scan, TooLong
from local.cosmos.sql.select import Groups, add_row, compile_select, grouped
from local.cosmos.sql.served import Served
from local.cosmos.sql.syntax import Alias, Expression, Logical, Member, Query
from local.cosmos.sql.values import UNDEFINED, Evaluator, Key, Value, canonical, order_key
from local.cosmos.storage.catalog import Container

MAX_PAGE_ITEMS = 1000
MAX_PAGE_BYTES = 4 * 1024 * 1024
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Page:
    """The rows of one page as JSON, and where the next one begins; None after the last.

    items_loaded  those that the service would have had to load: what its index alone cannot tell apart
    """

    rows: list[bytes] = field(default_factory=list)
    next: Position | None = None
    items_loaded: int = 0
    size: int = 0
    seconds: float = 0.0

    def add(self, row: bytes) -> None:
        """One more row."""
        self.rows.append(row)
        self.size += len(row)


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a page may become, and how long it may take.

    seconds           after them a scan in the order of an index hands over what it has
    patience_seconds  after them TooLong is raised; None where nobody else waits
    """

    rows: int = MAX_PAGE_ITEMS
    size: int = MAX_PAGE_BYTES
    seconds: float = 2.0
    patience_seconds: float | None = None


class Execution:
    """One query with its parameters, compiled for one container and scope.

    partial  the answer of one physical partition, in the form in which the client merges several
    now      when it began, in nanoseconds since 1970
    pinned   the effective partition key that all items of the result have, None where they may have several
    """

    def __init__(
        self, query: Query, parameters: dict[str, Value], container: Container, scope: Scope, *, partial: bool = False
    ) -> None:
        compiler = Compiler(parameters)
        self.now = compiler.now
        found = candidates(query, compiler.constant, scope, container.key)
        terms = [term for term in conjuncts(query.where) if term is not found.listed]
        if found.listed is not None:
            query = replace(query, where=Logical("AND", tuple(terms)) if terms else None)
        self.select = compile_select(compiler, query, {}, container_alias(query))
        self._may_be_slow = compiler.may_be_slow
        self._container = container
        self._query = query
        self._partial = partial
        self._env = compiler.environment()
        if partial and self.select.limit is not None:
            self.select.limit += self.select.offset
            self.select.offset = 0
        self._served = self._served_by_index()
        # Then the service goes along its index and loads no more items than it skips and returns.
        self._is_ordered_by_index = len(query.sources) == 1 and not self.select.filters and not query.distinct
        self._scan = self._scan_of(found, self._index(compiler, found, scope))
        self.pinned = found.epk

    @property
    def first(self) -> Position:
        """Before the first row."""
        return Position(skip=self.select.offset, take=self.select.limit)

    def page(self, connection: sqlite3.Connection, start: Position | None, limits: Limits) -> Page:
        """One page, on what the connection sees now; raises TooLong where somebody waits and it may take long."""
        if self._may_be_slow and limits.patience_seconds is not None:
            raise TooLong
        began = time.perf_counter()
        page = self._page(connection, start or self.first, limits)
        page.seconds = time.perf_counter() - began
        return page

    def _page(self, connection: sqlite3.Connection, start: Position, limits: Limits) -> Page:
        if start.take == 0:
            return Page()
        if not self._query.sources:
            return self._without_items()
        if self.select.grouping is not None:
            return self._groups(connection, start, limits)
        if self._scan.order is not Order.ANY:
            return self._scanned(connection, start, limits)
        return self._sorted(connection, start, limits)

    # The three ways to make a page.

    def _scanned(self, connection: sqlite3.Connection, start: Position, limits: Limits) -> Page:
        """In the order of the index, from where the last page ended."""
        page = Page()
        seen: set[str] | None = set() if self._query.distinct else None
        # Without the values that came before it is unknown what is a repetition.
        resume = start if seen is None else None
        skip, take = start.skip, start.take
        deadline = time.monotonic() + limits.seconds
        for item in self._scan.items(connection, resume, limits.patience_seconds):
            before = self._scan.is_before(item, start)
            if before and seen is None:
                continue
            for row, value in self._rows(item, page):
                if seen is not None:
                    text = canonical(value)
                    if text in seen:
                        continue
                    seen.add(text)
                if before or (item.id == start.id and item.epk == start.epk and row <= start.row):
                    continue
                if skip:
                    skip -= 1
                    continue
                page.add(self._output(item, value))
                take = None if take is None else take - 1
                if take == 0:
                    return page
                if len(page.rows) >= limits.rows or page.size >= limits.size:
                    page.next = Position([], item.epk, item.id, item.number, row, skip, take)
                    return page
            if time.monotonic() > deadline and not before:
                page.next = Position([], item.epk, item.id, item.number, _ALL_ROWS, skip, take)
                return page
        return page

    def _sorted(self, connection: sqlite3.Connection, start: Position, limits: Limits) -> Page:
        """All candidates are looked at, the first ones in order after the last page are kept."""
        page = Page()
        after = None
        if start.number >= 0:
            keys = tuple(order.key(_value(kept)) for order, kept in zip(self.select.order, start.keys, strict=True))
            after = (keys, start.number, start.row)
        wanted = limits.rows if start.take is None else min(limits.rows, start.take)
        rows = self._keyed(connection, page, limits)
        if self._query.distinct:
            found: Iterable[Any] = _first_of_each(sorted(rows, key=_place))
        else:
            found = rows
        if after is not None:
            found = (row for row in found if row[:3] > after)
        kept = heapq.nsmallest(start.skip + wanted + 1, found, key=_place)
        returned = kept[start.skip : start.skip + wanted]
        loaded = page.items_loaded
        for place, (_, number, row, item, values, value) in enumerate(returned):
            page.add(self._output(item, value, values))
            if self._is_ordered_by_index:
                page.items_loaded = min(loaded, start.skip + place + 1)
            take = None if start.take is None else start.take - place - 1
            is_last = place + 1 == len(returned) and len(kept) <= start.skip + wanted
            if take == 0 or is_last:
                return page
            if len(page.rows) >= limits.rows or page.size >= limits.size:
                page.next = Position([_kept(one) for one in values], item.epk, item.id, number, row, 0, take)
                return page
        return page

    def _groups(self, connection: sqlite3.Connection, start: Position, limits: Limits) -> Page:
        """All rows are added up; the groups come in the order of their keys, as many as fit."""
        page = Page()
        grouping = self.select.grouping
        assert grouping is not None  # `page` chose this way because there is one
        groups: Groups = {}
        for item in self._scan.items(connection, None, limits.patience_seconds):
            if self._load(item, page):
                for _ in self.select.rows(self._env):
                    add_row(grouping, groups, self._env)
        if self._partial:
            (_, aggregates), *_ = [*groups.values(), ([], grouping.start())]
            parts = [one.partial() for one in aggregates]
            page.add(_encode([{} if part is UNDEFINED else {"item": part} for part in parts]))
            return page
        after = tuple(_order_key_of(value) for value in start.keys) if start.number >= 0 else None
        results = [
            (keys, values, result)
            for keys, values, result in grouped(self.select, groups, self._env)
            if result is not UNDEFINED and (after is None or keys > after)
        ]
        last = len(results) if start.take is None else min(len(results), start.skip + start.take)
        for place in range(start.skip, last):
            _, values, result = results[place]
            page.add(_encode(result))
            if place + 1 < last and (len(page.rows) >= limits.rows or page.size >= limits.size):
                take = None if start.take is None else start.take - (place + 1 - start.skip)
                page.next = Position([_kept(value) for value in values], number=0, take=take)
                return page
        return page

    def _without_items(self) -> Page:
        """A query without FROM: one row that is about no item."""
        page = Page()
        for value in self.select.results(self._env):
            page.add(_encode(value))
        return page

    # Items and their rows.

    def _load(self, item: Candidate, page: Page) -> bool:
        """Puts an item into the environment, unless the index of the service would have left it out."""
        self._env[0] = _decode(item.body)
        for accepts in self._served:
            if accepts(self._env) is not True:
                return False
        page.items_loaded += 1
        return True

    def _rows(self, item: Candidate, page: Page) -> Iterator[tuple[int, Value]]:
        if not self._load(item, page):
            return
        env, select = self._env, self.select
        for row, _ in enumerate(select.rows(env)):
            value = select.project(env)
            if value is not UNDEFINED:
                yield row, value

    def _keyed(self, connection: sqlite3.Connection, page: Page, limits: Limits) -> Iterator[tuple[Any, ...]]:
        orders = self.select.order
        for item in self._scan.items(connection, None, limits.patience_seconds):
            for row, value in self._rows(item, page):
                values = [order.evaluate(self._env) for order in orders]
                keys = tuple([order.key(one) for order, one in zip(orders, values, strict=True)])
                # The stored text is enough for a whole item; its fields would only take memory.
                kept = None if self.select.whole_item and not self._query.distinct else value
                yield keys, item.number, row, item, values, kept

    def _output(self, item: Candidate, value: Value, values: list[Value] | None = None) -> bytes:
        text = item.body if self.select.whole_item else _encode(value)
        if not (self._partial and self._query.order_by):
            return text
        if values is None:
            values = [order.evaluate(self._env) for order in self.select.order]
        items = _encode([{} if one is UNDEFINED else {"item": one} for one in values])
        rid = self._container.item_rid(item.number).encode()
        return b'{"_rid":"' + rid + b'","orderByItems":' + items + b',"payload":' + text + b"}"

    def _served_by_index(self) -> list[Evaluator]:
        """The conditions that the service answers from its index, taken out of those for the rows."""
        query, root = self._query, root_alias(self._query)
        if root is None or len(query.sources) != 1:
            return []
        index = Served(self._container.policy, {root: ()})
        evaluators = self.select.filters
        served = [index.decides(term) for term in conjuncts(query.where)]
        self.select.filters = [one for one, is_served in zip(evaluators, served, strict=True) if not is_served]
        return [one for one, is_served in zip(evaluators, served, strict=True) if is_served]

    def _index(self, compiler: Compiler, found: Candidates, scope: Scope) -> Index | None:
        """None for a query that names its items, and for one that the index cannot help."""
        if found.pairs is not None or found.ids is not None or any(one.is_exact_id for one in found.bounds):
            return None
        policy = self._container.policy
        question = question_of(self._query, compiler.constant, policy)
        return None if question is None else Index(self._container, policy.text, question, found.epk, scope.interval)

    def _scan_of(self, found: Candidates, index: Index | None) -> Scan:
        """Without ORDER BY the order of the better index will do, and ORDER BY the id alone is the order of one."""
        query = self._query
        if not query.order_by:
            by_id = found.epk is not None or found.ids is not None or any(one.column == "id" for one in found.bounds)
            return Scan(self._container, found, Order.ID if by_id else Order.KEY, index=index)
        if len(query.order_by) == 1 and path_of(query.order_by[0].expression, root_alias(query)) == ("id",):
            return Scan(self._container, found, Order.ID, not query.order_by[0].ascending, index)
        return Scan(self._container, found, Order.ANY, index=index)


_ALL_ROWS = 2**31


def _kept(value: Value) -> list[Any]:
    """As a token has it."""
    return [] if value is UNDEFINED else [value]


def _value(kept: list[Any]) -> Value:
    return kept[0] if kept else UNDEFINED


def _order_key_of(kept: list[Any]) -> Key:
    return order_key(_value(kept))


def _place(row: tuple[Any, ...]) -> Any:
    return row[:3]


def _first_of_each(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    seen: set[str] = set()
    for row in rows:
        text = canonical(row[5])
        if text not in seen:
            seen.add(text)
            yield row


def container_alias(query: Query) -> str | None:
    """The first name in FROM, which is the container whatever it is called."""
    if not query.sources:
        return None
    first = query.sources[0]
    if first.query is not None:
        return container_alias(first.query)
    expression: Expression | None = first.expression
    while isinstance(expression, Member):
        expression = expression.base
    return expression.name if isinstance(expression, Alias) else None
