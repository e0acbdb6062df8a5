"""A query over a subquery that looks at all items of a partition key: first that one, then the other over its rows."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import replace

import msgspec

from local.cosmos.errors import NEEDS_QUERY_PLAN, CosmosError, bad_request
from local.cosmos.ranges import Scope
from local.cosmos.sql.compiler import Compiler
from local.cosmos.sql.execution import Execution, Limits, Page
from local.cosmos.sql.position import Position
from local.cosmos.sql.scan import TooLong
from local.cosmos.sql.select import Select, compile_select, looks_at_all_items
from local.cosmos.sql.syntax import Parameter, Query, Source
from local.cosmos.sql.values import Environment, Value
from local.cosmos.storage.catalog import Container

_RESULTS = "@results of the subquery"  # no parameter of a client has such a name
_NO_CONTAINER = ""


def execution_of(
    query: Query, parameters: dict[str, Value], container: Container, scope: Scope, *, partial: bool = False
) -> Execution | Staged:
    """How a query is run; raises CosmosError 400 for one that cannot be."""
    if query.sources and not partial and (inner := query.sources[0].query) is not None and looks_at_all_items(inner):
        return Staged(query, inner, parameters, container, scope)
    return Execution(query, parameters, container, scope, partial=partial)


class Staged:
    """Both stages; used as an `Execution` is. Each page runs the first one anew, on the state of its own time."""

    def __init__(
        self, query: Query, inner: Query, parameters: dict[str, Value], container: Container, scope: Scope
    ) -> None:
        if inner.order_by or inner.limit is not None:
            raise bad_request("'ORDER BY' and 'OFFSET LIMIT' are not supported in subqueries.")
        self._inner = execution_of(inner, parameters, container, scope)
        self.pinned: str | None = self._inner.pinned
        self.now: int = self._inner.now
        if self.pinned is None:
            raise CosmosError(
                400,
                "A subquery over the container with DISTINCT, GROUP BY, TOP or an aggregate is supported within one"
                " partition key only.",
                # Asked for the plan, the server says what the client lacks; a range alone cannot be answered.
                NEEDS_QUERY_PLAN if scope.range_id is None else 0,
            )
        first = query.sources[0]
        results = Source(first.alias, Parameter(_RESULTS), each=True)
        if first.each:
            raise bad_request("IN is not supported over a subquery that has DISTINCT, GROUP BY or an aggregate.")
        self._outer = replace(query, sources=(results, *query.sources[1:]))
        self._parameters = parameters
        self._compiled([])

    @property
    def first(self) -> Position:
        """Before the first row."""
        return Position()

    def page(self, connection: sqlite3.Connection, start: Position | None, limits: Limits) -> Page:
        """One page, on what the connection sees now; raises TooLong where somebody waits and it may take long."""
        if self._may_be_slow and limits.patience_seconds is not None:
            raise TooLong
        began = time.perf_counter()
        page, values = Page(), self._results(connection, limits)
        select, environment = self._compiled(values[1])
        rows = select.results(environment)
        page.items_loaded = values[0]
        for place in range(0 if start is None else start.row + 1, len(rows)):
            page.add(msgspec.json.encode(rows[place]))
            if place + 1 < len(rows) and (len(page.rows) >= limits.rows or page.size >= limits.size):
                page.next = Position(number=0, row=place)
                break
        page.seconds = time.perf_counter() - began
        return page

    def _results(self, connection: sqlite3.Connection, limits: Limits) -> tuple[int, list[Value]]:
        """How many items the first stage has loaded, and all its results."""
        loaded, found = 0, list[Value]()
        position: Position | None = None
        while True:
            page = self._inner.page(connection, position, Limits(patience_seconds=limits.patience_seconds))
            loaded += page.items_loaded
            found += [msgspec.json.decode(row) for row in page.rows]
            position = page.next
            if position is None:
                return loaded, found

    def _compiled(self, values: list[Value]) -> tuple[Select, Environment]:
        compiler = Compiler({**self._parameters, _RESULTS: values}, self.now)
        select = compile_select(compiler, self._outer, {}, _NO_CONTAINER)
        self._may_be_slow = compiler.may_be_slow
        return select, compiler.environment()
