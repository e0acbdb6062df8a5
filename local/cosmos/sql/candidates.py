"""Which items a query can be about, as far as the index of the key and the id tells; the rest is for the closures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from local.cosmos.partition_keys import MISSING, Component, KeyDefinition
from local.cosmos.ranges import HIGHEST, LOWEST, Scope
from local.cosmos.sql.syntax import Alias, Between, Binary, Call, Expression, In, Literal, Logical, Member, Query
from local.cosmos.sql.values import UNDEFINED, Value

Constant = Callable[[Expression], Value]
_ID = ("id",)
MIRRORED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True, slots=True)
class Bound:
    """A comparison of the column `epk` or `id` with a value."""

    column: str
    operator: str
    value: str

    @property
    def is_exact_id(self) -> bool:
        """Whether it leaves one item of each partition key."""
        return self.column == "id" and self.operator == "="


@dataclass(slots=True)
class Candidates:
    """What SQLite can test by the columns of `items`.

    bounds comparisons of key and id
    ids    JSON of the ids of which it must be one
    epk    the one partition key that all candidates have, if the query or its scope pins one
    pairs  JSON of `[[epk, id], …]` where the query lists its items one by one
    listed the condition that those pairs say completely, so that nobody need test it
    """

    bounds: list[Bound] = field(default_factory=list)
    ids: str | None = None
    epk: str | None = None
    pairs: str | None = None
    listed: Expression | None = None


def candidates(query: Query, constant: Constant, scope: Scope, definition: KeyDefinition) -> Candidates:
    """Every item that the query may return is among them."""
    found = Candidates()
    root = root_alias(query)
    terms = conjuncts(query.where)
    facts = _equalities(terms, root, constant)
    components = [facts.get(path, UNDEFINED) for path in definition.paths]
    if scope.key is not None:
        found.epk = scope.key.epk
        found.bounds.append(Bound("epk", "=", found.epk))
    else:
        if all(_is_component(component) for component in components):
            found.epk = definition.key(components).epk
            found.bounds.append(Bound("epk", "=", found.epk))
        if scope.interval.minimum > LOWEST:
            found.bounds.append(Bound("epk", ">=", scope.interval.minimum))
        if scope.interval.maximum < HIGHEST:
            found.bounds.append(Bound("epk", "<", scope.interval.maximum))
    for term in terms:
        _by_id(found, term, root, constant)
        pairs = None if found.pairs else _listed(term, root, constant, definition)
        if pairs is not None:
            found.pairs, found.listed = pairs, term
    return found


def root_alias(query: Query) -> str | None:
    """The name by which the query calls the item itself; None where its FROM goes into the item."""
    if query.sources and isinstance(query.sources[0].expression, Alias) and not query.sources[0].each:
        return query.sources[0].alias
    return None


def path_of(expression: Expression, root: str | None) -> tuple[str, ...] | None:
    """`c.a.b` as ("a", "b") where `c` is the item."""
    parts: list[str] = []
    while isinstance(expression, Member) and isinstance(expression.key, Literal) and type(expression.key.value) is str:
        parts.append(expression.key.value)
        expression = expression.base
    return tuple(parts[::-1]) if isinstance(expression, Alias) and expression.name == root and root else None


def conjuncts(where: Expression | None) -> tuple[Expression, ...]:
    """The conditions that must all hold."""
    if where is None:
        return ()
    return where.operands if isinstance(where, Logical) and where.operator == "AND" else (where,)


def _equalities(terms: tuple[Expression, ...], root: str | None, constant: Constant) -> dict[tuple[str, ...], Any]:
    """Paths that must equal a constant; MISSING for `IS_DEFINED(path) = false`."""
    facts: dict[tuple[str, ...], Any] = {}
    for term in terms:
        if not isinstance(term, Binary) or term.operator != "=":
            continue
        for side, other in ((term.left, term.right), (term.right, term.left)):
            if isinstance(side, Call) and side.name == "IS_DEFINED" and len(side.arguments) == 1:
                path = path_of(side.arguments[0], root)
                if path and constant(other) is False:
                    facts[path] = MISSING
            elif path := path_of(side, root):
                value = constant(other)
                if _is_component(value):
                    facts[path] = value
    return facts


def _is_component(value: Any) -> bool:
    return value is None or value is MISSING or type(value) in (str, int, float, bool)


def _by_id(found: Candidates, term: Expression, root: str | None, constant: Constant) -> None:
    match term:
        case Binary() if term.operator in MIRRORED:
            for side, other, operator in (
                (term.left, term.right, term.operator),
                (term.right, term.left, MIRRORED[term.operator]),
            ):
                value = constant(other)
                if path_of(side, root) == _ID and type(value) is str:
                    found.bounds.append(Bound("id", operator, value))
        case Between(negated=False):
            low, high = constant(term.low), constant(term.high)
            if path_of(term.operand, root) == _ID and type(low) is str and type(high) is str:
                found.bounds += [Bound("id", ">=", low), Bound("id", "<=", high)]
        case In(negated=False):
            values = [constant(choice) for choice in term.choices]
            if path_of(term.operand, root) == _ID and all(type(value) is str for value in values):
                found.ids = msgspec.json.encode(values).decode()
        case Call(name="STARTSWITH") if len(term.arguments) == 2:
            prefix = constant(term.arguments[1])
            if path_of(term.arguments[0], root) == _ID and type(prefix) is str and prefix:
                found.bounds.append(Bound("id", ">=", prefix))


def _listed(term: Expression, root: str | None, constant: Constant, definition: KeyDefinition) -> str | None:
    """Pairs of key and id for `(c.id = … AND c.pk = …) OR …`, the shape in which clients read many items."""
    if not isinstance(term, Logical) or term.operator != "OR":
        return None
    pairs: list[tuple[str, str]] = []
    for operand in term.operands:
        parts = conjuncts(operand)
        facts = _equalities(parts, root, constant)
        if len(facts) != len(parts) or len(facts) != len({_ID, *definition.paths}):
            return None
        item_id, components = facts.get(_ID), [facts.get(path, UNDEFINED) for path in definition.paths]
        if type(item_id) is not str or not all(_is_component(component) for component in components):
            return None
        known: list[Component] = components
        pairs.append((definition.key(known).epk, item_id))
    return msgspec.json.encode(list(dict.fromkeys(pairs))).decode()
