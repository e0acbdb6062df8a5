"""What the index can be asked for a query: terms of which an item must have one to be in the result."""

# ruff: noqa: PLR0911 - one branch for each kind of condition

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from local.cosmos.index.terms import AFTER_TEXT, FIRST_TEXT, Key, is_indexed, key_of, path_number
from local.cosmos.sql.candidates import MIRRORED, conjuncts
from local.cosmos.sql.indexing import EACH, IndexingPolicy, Path
from local.cosmos.sql.syntax import (
    Alias,
    Between,
    Binary,
    Call,
    Expression,
    In,
    Literal,
    Logical,
    Member,
    Query,
    Subquery,
)
from local.cosmos.sql.values import Value

_LAST_CHARACTER = "\U0010ffff"
_MOST_CHOICES = 100  # an IN of more is not looked up term by term


@dataclass(frozen=True, slots=True)
class Lookup:
    """The terms at one path with a value from `low` to `high`, both included; all of them where both are None."""

    path: int
    low: Key | None
    high: Key | None


@dataclass(frozen=True, slots=True)
class All:
    """Each of the parts alone finds every item that may be in the result: the cheapest will do."""

    parts: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """An item of the result is found by one of the parts."""

    parts: tuple[Question, ...]


Question = Lookup | All | Any
Constant = Callable[[Expression], Value]


def question_of(query: Query, constant: Constant, policy: IndexingPolicy) -> Question | None:
    """None where the index is of no help."""
    return _Reader(constant, policy).of_query(query, {}, is_outermost=True)


class _Reader:
    """Reads conditions; `paths` says what each alias stands for."""

    def __init__(self, constant: Constant, policy: IndexingPolicy) -> None:
        self._constant, self._policy = constant, policy

    def of_query(self, query: Query, outer: Mapping[str, Path], *, is_outermost: bool) -> Question | None:
        paths = dict(outer)
        for number, source in enumerate(query.sources):
            path: Path | None = None
            if source.expression is not None:
                path = _path(source.expression, paths, is_container=is_outermost and number == 0)
            if source.alias is not None:
                paths.pop(source.alias, None)
                if path is not None:
                    paths[source.alias] = (*path, EACH) if source.each else path
        return self._of_condition(query.where, paths)

    def _of_condition(self, condition: Expression | None, paths: Mapping[str, Path]) -> Question | None:
        terms = conjuncts(condition)
        parts = tuple(part for part in (self._of_term(term, paths) for term in terms) if part is not None)
        if not parts:
            return None
        return parts[0] if len(parts) == 1 else All(parts)

    def _of_term(self, term: Expression, paths: Mapping[str, Path]) -> Question | None:
        match term:
            case Logical(operator="OR"):
                return _any([self._of_condition(operand, paths) for operand in term.operands])
            case Logical():
                return self._of_condition(term, paths)
            case Binary() if term.operator in MIRRORED:
                return self._of_comparison(term.operator, term.left, term.right, paths) or self._of_comparison(
                    MIRRORED[term.operator], term.right, term.left, paths
                )
            case Between(negated=False):
                return self._between(term, paths)
            case In(negated=False) if len(term.choices) <= _MOST_CHOICES:
                return _any([self._of_comparison("=", term.operand, choice, paths) for choice in term.choices])
            case Call():
                return self._of_call(term, paths)
            case Subquery(form="EXISTS") if _keeps_rows(term.query):
                return self.of_query(term.query, paths, is_outermost=False)
        return None

    def _of_comparison(
        self, operator: str, side: Expression, other: Expression, paths: Mapping[str, Path]
    ) -> Lookup | None:
        path, value = self._indexed(side, paths), self._constant(other)
        if path is None or not (value is None or type(value) in (str, int, float, bool)):
            return None
        key = key_of(value)
        if operator == "=":
            return Lookup(path, key, key)
        if type(value) is str:
            return Lookup(path, key, AFTER_TEXT) if operator in (">", ">=") else Lookup(path, FIRST_TEXT, key)
        if type(value) in (int, float):
            endless = float("inf")
            return Lookup(path, key, endless) if operator in (">", ">=") else Lookup(path, -endless, key)
        return None

    def _between(self, term: Between, paths: Mapping[str, Path]) -> Lookup | None:
        low = self._of_comparison(">=", term.operand, term.low, paths)
        high = self._of_comparison("<=", term.operand, term.high, paths)
        return None if low is None or high is None else Lookup(low.path, low.low, high.high)

    def _of_call(self, call: Call, paths: Mapping[str, Path]) -> Lookup | None:
        match call.name, call.arguments:
            case "IS_DEFINED", (operand,):
                path = self._indexed(operand, paths)
                return None if path is None else Lookup(path, None, None)
            case "STARTSWITH", (operand, text):
                path, prefix = self._indexed(operand, paths), self._constant(text)
                if path is None or type(prefix) is not str:
                    return None
                return Lookup(path, key_of(prefix), key_of(prefix + _LAST_CHARACTER))
            case "ARRAY_CONTAINS", (operand, wanted):
                return self._of_comparison("=", Member(operand, Literal(0)), wanted, paths)
        return None

    def _indexed(self, expression: Expression, paths: Mapping[str, Path]) -> int | None:
        path = _path(expression, paths)
        return path_number(path) if path is not None and is_indexed(self._policy, path) else None


def _path(expression: Expression, paths: Mapping[str, Path], *, is_container: bool = False) -> Path | None:
    """Where an expression looks in the item; None for one that does something else."""
    parts: list[str] = []
    while isinstance(expression, Member) and isinstance(expression.key, Literal):
        parts.append(expression.key.value if type(expression.key.value) is str else EACH)
        expression = expression.base
    if not isinstance(expression, Alias):
        return None
    base = () if is_container else paths.get(expression.name)
    return None if base is None else (*base, *parts[::-1])


def _any(parts: list[Question | None]) -> Question | None:
    known = tuple(part for part in parts if part is not None)
    return Any(known) if known and len(known) == len(parts) else None


def _keeps_rows(query: Query) -> bool:
    """Whether the subquery has a row only where its condition holds: an aggregate has one in any case."""
    return not query.group_by and all(
        isinstance(column.expression, Alias | Member | Literal) for column in query.columns or ()
    )
