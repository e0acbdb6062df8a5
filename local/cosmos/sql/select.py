"""A compiled SELECT: the rows that its FROM makes of an environment, which of them stay, and what each becomes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import total_ordering
from typing import Any, Protocol

from local.cosmos.errors import bad_request
from local.cosmos.sql.aggregates import Aggregate, aggregate
from local.cosmos.sql.grouping import aggregate_calls, aggregates_in, require_grouped
from local.cosmos.sql.syntax import Alias, Column, Expression, Query, Source
from local.cosmos.sql.values import UNDEFINED, Environment, Evaluator, Key, Value, canonical, order_key

_NO_MORE = 2**31 - 1


class Expressions(Protocol):
    """What compiles expressions; `known` maps expressions to the slots that already have their values."""

    known: dict[Expression, int]

    def new_slot(self) -> int:
        """A place in the environment that nothing else uses."""

    def constant(self, expression: Expression) -> Value:
        """The value of what does not depend on an item."""

    def expression(self, expression: Expression, names: Mapping[str, int]) -> Evaluator:
        """A closure for the expression."""

    def conjuncts(self, where: Expression | None, names: Mapping[str, int]) -> list[Evaluator]:
        """Closures that must all be true."""

    def select(self, query: Query, names: Mapping[str, int]) -> Select:
        """A subquery."""


@total_ordering
class Descending:
    """Sorts the other way round."""

    __slots__ = ("key",)

    def __init__(self, key: Key) -> None:
        self.key = key

    def __lt__(self, other: Descending) -> bool:
        return other.key < self.key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Descending) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


@dataclass(frozen=True, slots=True)
class Order:
    """One key of ORDER BY."""

    evaluate: Evaluator
    ascending: bool

    def key(self, value: Value) -> Key | Descending:
        """What a row with this value sorts by."""
        key = order_key(value)
        return key if self.ascending else Descending(key)


@dataclass(frozen=True, slots=True)
class From:
    """One source: the values that it gives its slot."""

    slot: int
    values: Callable[[Environment], Any]


@dataclass(slots=True)
class Grouping:
    """GROUP BY and aggregates: what is grouped by, what is added up, and where the results are put for projection."""

    keys: list[Evaluator]
    key_slots: list[int]
    names: list[str]
    arguments: list[Evaluator]
    result_slots: list[int]

    def start(self) -> list[Aggregate]:
        """The aggregates of a new group."""
        return [aggregate(name) for name in self.names]


@dataclass(slots=True)
class Select:
    """One compiled SELECT. `project` yields UNDEFINED where there is no row."""

    query: Query
    sources: list[From]
    filters: list[Evaluator]
    project: Evaluator
    order: list[Order]
    grouping: Grouping | None
    offset: int
    limit: int | None
    whole_item: bool  # the result of a row is the item itself, so that its stored text will do

    def rows(self, env: Environment, depth: int = 0) -> Iterator[None]:
        """Puts one row after the other into `env`."""
        if depth == len(self.sources):
            for accepts in self.filters:
                if accepts(env) is not True:
                    return
            yield
            return
        source = self.sources[depth]
        for value in source.values(env):
            env[source.slot] = value
            yield from self.rows(env, depth + 1)

    def exists(self, env: Environment) -> bool:
        """EXISTS: is there a result?"""
        if self.grouping is None and self.limit is None and not self.offset:
            return any(self.project(env) is not UNDEFINED for _ in self.rows(env))
        return bool(self.results(env))

    def results(self, env: Environment) -> list[Value]:
        """All results for one environment, as a subquery has them."""
        if self.grouping is not None:
            groups: Groups = {}
            for _ in self.rows(env):
                add_row(self.grouping, groups, env)
            found = [result for _, _, result in grouped(self, groups, env)]
        else:
            found = [self.project(env) for _ in self.rows(env)]
        found = [value for value in found if value is not UNDEFINED]
        if self.query.distinct:
            found = list({canonical(value): value for value in reversed(found)}.values())[::-1]
        return found[self.offset :] if self.limit is None else found[self.offset : self.offset + self.limit]


# From the text of the group's key to its values and aggregates.
Groups = dict[tuple[str, ...], tuple[list[Value], list[Aggregate]]]


def add_row(grouping: Grouping, groups: Groups, env: Environment) -> None:
    """Adds the row in `env` to its group."""
    values = [key(env) for key in grouping.keys]
    place = tuple(map(canonical, values))
    group = groups.get(place)
    if group is None:
        group = groups[place] = (values, grouping.start())
    for aggregate_, argument in zip(group[1], grouping.arguments, strict=True):
        aggregate_.add(argument(env))


def grouped(select: Select, groups: Groups, env: Environment) -> list[tuple[tuple[Key, ...], list[Value], Value]]:
    """Order key, values and result of each group, in order; without GROUP BY there is one group, also over no rows."""
    grouping = select.grouping
    assert grouping is not None  # the callers ask for groups only where there are some
    if not grouping.keys and not groups:
        groups = {(): ([], grouping.start())}
    found = []
    for values, aggregates in groups.values():
        for slot, value in zip(grouping.key_slots, values, strict=True):
            env[slot] = value
        for slot, one in zip(grouping.result_slots, aggregates, strict=True):
            env[slot] = one.result()
        found.append((tuple(map(order_key, values)), values, select.project(env)))
    return sorted(found, key=lambda row: row[0])


def compile_select(compiler: Expressions, query: Query, outer: Mapping[str, int], root: str | None = None) -> Select:
    """`root` is the name of the container in the outermost query, whose item is in slot 0; None in a subquery."""
    outermost = root is not None
    names = dict(outer)
    sources: list[From] = []
    for source in query.sources:
        if root is not None and not sources and source.expression == Alias(root):
            names[source.alias or root] = 0  # FROM c, FROM c AS x: the item itself
            root = None
            continue
        if root is not None:
            _require_row_by_row(source)
            values = _source_values(compiler, source, {**names, root: 0})
            root = None
        else:
            values = _source_values(compiler, source, names)
        slot = compiler.new_slot()
        if source.alias is not None:
            if source.alias in names and source.alias not in outer:
                raise bad_request(f"The alias '{source.alias}' is used twice.")
            names[source.alias] = slot
        sources.append(From(slot, values))
    filters = compiler.conjuncts(query.where, names)
    grouping = _grouping(compiler, query, names)
    if query.order_by and not outermost:
        raise bad_request("'ORDER BY' is not supported in subqueries.")
    if query.limit is not None and not outermost and query.sources:
        raise bad_request("'OFFSET LIMIT' clause is not supported in subqueries.")
    order = _order(compiler, query, names, grouping)
    known = dict(compiler.known)
    if grouping is not None:
        compiler.known.update(_known_of(query, grouping))
        require_grouped(query)
        names = {name: slot for name, slot in names.items() if name in outer}  # what else there is has no one value
    project = _projection(compiler, query, names)
    compiler.known.clear()
    compiler.known.update(known)
    limit = _count(compiler, query.top if query.top is not None else query.limit)
    whole = _is_whole_item(query, names) and grouping is None
    return Select(query, sources, filters, project, order, grouping, _count(compiler, query.offset) or 0, limit, whole)


def _require_row_by_row(source: Source) -> None:
    """A subquery over the container itself is run item by item, so it can have nothing that looks at all of them."""
    if source.query is not None and looks_at_all_items(source.query):
        raise bad_request(
            "This server supports DISTINCT, GROUP BY, TOP and aggregates in a subquery over the container only within"
            " one partition key."
        )


def looks_at_all_items(query: Query) -> bool:
    """Whether a query over the container cannot be run item by item."""
    return bool(
        query.distinct
        or query.order_by
        or query.group_by
        or query.top is not None
        or query.limit is not None
        or aggregate_calls(query)
        or (query.sources and query.sources[0].query is not None and looks_at_all_items(query.sources[0].query))
    )


def _source_values(compiler: Expressions, source: Source, names: Mapping[str, int]) -> Callable[[Environment], Any]:
    if source.query is not None:
        select = compiler.select(source.query, names)
        if not source.each:
            return select.results
        return lambda env: [element for array in select.results(env) if type(array) is list for element in array]
    assert source.expression is not None  # the parser gives a source one of the two
    expression = compiler.expression(source.expression, names)
    if source.each:
        return lambda env: _elements(expression(env))
    return lambda env: _defined(expression(env))


def _elements(value: Value) -> list[Value]:
    return value if type(value) is list else []


def _defined(value: Value) -> list[Value]:
    return [] if value is UNDEFINED else [value]


def _grouping(compiler: Expressions, query: Query, names: Mapping[str, int]) -> Grouping | None:
    calls = aggregate_calls(query)
    if not calls and not query.group_by:
        return None
    if query.columns is None:
        raise bad_request("'SELECT *' cannot be used with GROUP BY.")
    arguments = []
    for call in calls:
        if len(call.arguments) != 1:
            raise bad_request(f"The {call.name} function takes 1 argument.")
        if aggregates_in(call.arguments[0]):
            raise bad_request("An aggregate cannot be within an aggregate.")
        arguments.append(compiler.expression(call.arguments[0], names))
    return Grouping(
        [compiler.expression(key, names) for key in query.group_by],
        [compiler.new_slot() for _ in query.group_by],
        [call.name for call in calls],
        arguments,
        [compiler.new_slot() for _ in calls],
    )


def _known_of(query: Query, grouping: Grouping) -> dict[Expression, int]:
    return {
        **dict(zip(query.group_by, grouping.key_slots, strict=True)),
        **dict(zip(aggregate_calls(query), grouping.result_slots, strict=True)),
    }


def _order(compiler: Expressions, query: Query, names: Mapping[str, int], grouping: Grouping | None) -> list[Order]:
    if query.order_by and grouping is not None:
        raise bad_request("ORDER BY is not supported together with GROUP BY or aggregates.")
    return [Order(compiler.expression(sort.expression, names), sort.ascending) for sort in query.order_by]


def _projection(compiler: Expressions, query: Query, names: Mapping[str, int]) -> Evaluator:
    if query.columns is None:
        if len(query.sources) != 1 or query.sources[0].alias is None:
            raise bad_request("'SELECT *' is only valid with a single input set.")
        return compiler.expression(Alias(query.sources[0].alias), names)
    if query.value:
        return compiler.expression(query.columns[0].expression, names)
    fields = [(name, compiler.expression(expression, names)) for name, expression in named_columns(query.columns)]
    return lambda env: object_of(fields, env)


def object_of(fields: list[tuple[str, Evaluator]], env: Environment) -> dict[str, Any]:
    """What is undefined is left out."""
    made: dict[str, Any] = {}
    for name, evaluate in fields:
        value = evaluate(env)
        if value is not UNDEFINED:
            made[name] = value
    return made


def named_columns(columns: tuple[Column, ...]) -> list[tuple[str, Expression]]:
    """The columns with a name for each; those without one are $1, $2 and so on."""
    named: dict[str, Expression] = {}
    unnamed = 0
    for column in columns:
        name = column.name
        if name is None:
            unnamed += 1
            name = f"${unnamed}"
        if name in named:
            raise bad_request(f"The column name '{name}' is used twice.")
        named[name] = column.expression
    return list(named.items())


def _count(compiler: Expressions, expression: Expression | None) -> int | None:
    if expression is None:
        return None
    value = compiler.constant(expression)
    if type(value) is not int or not 0 <= value <= _NO_MORE:
        raise bad_request(
            "TOP, OFFSET and LIMIT take a whole number that is not negative, or a parameter that has one."
        )
    return value


def _is_whole_item(query: Query, names: Mapping[str, int]) -> bool:
    if query.columns is None:
        alias = query.sources[0].alias if query.sources else None
    elif query.value and isinstance(query.columns[0].expression, Alias):
        alias = query.columns[0].expression.name
    else:
        return False
    return alias is not None and names.get(alias) == 0
