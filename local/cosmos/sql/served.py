"""Which conditions the index of the service can decide, so that only items that meet them are loaded."""

from __future__ import annotations

from collections.abc import Mapping

from local.cosmos.sql.candidates import MIRRORED, conjuncts
from local.cosmos.sql.indexing import EACH, IndexingPolicy, Path
from local.cosmos.sql.syntax import (
    Alias,
    Between,
    Binary,
    Call,
    Expression,
    In,
    Like,
    Literal,
    Logical,
    Member,
    Subquery,
    Unary,
    children,
)

_COMPARISONS = frozenset((*MIRRORED, "!="))
_TESTS = frozenset(
    (
        "STARTSWITH",
        "ENDSWITH",
        "CONTAINS",
        "STRINGEQUALS",
        "REGEXMATCH",
        "ARRAY_CONTAINS",
        "ARRAY_CONTAINS_ANY",
        "ARRAY_CONTAINS_ALL",
    )
)
_PARTS_OF_VALUES = frozenset(("LEFT", "YEAR", "MONTH", "DAY"))


class Served:
    """Conditions under one policy; `paths` says where in the item the aliases of a query look.

    A path within arithmetic, UPPER, LOWER or another function is not served: its values are not those of the index.
    """

    def __init__(self, policy: IndexingPolicy, paths: Mapping[str, Path]) -> None:
        self._policy = policy
        self._paths = paths

    def decides(self, condition: Expression) -> bool:
        """Whether the index alone can tell which items meet the condition."""
        match condition:
            case Logical():
                return all(map(self.decides, condition.operands))
            case Unary(operator="NOT"):
                return self.decides(condition.operand)
            case Subquery(form="EXISTS"):
                return self._decides_exists(condition)
        return self._has_values(condition) or any(self._is_looked_up(*sides) for sides in _compared(condition))

    def _is_looked_up(self, expression: Expression, *wanted: Expression) -> bool:
        return self._has_values(expression) and all(map(self._is_free, wanted))

    def _has_values(self, expression: Expression) -> bool:
        """Whether the values of the expression are those of the index, or can be told from them."""
        match expression:
            case Member() | Alias():
                return self._is_indexed(expression)
            case Call(name=name, arguments=(first, *rest)) if name in _TESTS | _PARTS_OF_VALUES or name[:3] == "IS_":
                return self._is_looked_up(first, *rest)
            case Call(name="SUBSTRING", arguments=(first, Literal(value=0), size)):
                return self._is_looked_up(first, size)
        return False

    def _is_indexed(self, expression: Expression) -> bool:
        path = self._path(expression)
        return bool(path) and any(self._policy.covers((*path, *below)) for below in ((), (EACH,), ("x",)))

    def _path(self, expression: Expression) -> Path:
        """Where an expression looks in the item; nothing for one that does something else."""
        parts: list[str] = []
        while isinstance(expression, Member) and isinstance(expression.key, Literal):
            parts.append(expression.key.value if type(expression.key.value) is str else EACH)
            expression = expression.base
        if not isinstance(expression, Alias) or expression.name not in self._paths:
            return ()
        return (*self._paths[expression.name], *parts[::-1])

    def _is_free(self, expression: Expression) -> bool:
        """Whether the value does not depend on the item."""
        return not isinstance(expression, Alias | Subquery) and all(map(self._is_free, children(expression)))

    def _decides_exists(self, condition: Subquery) -> bool:
        """For subqueries over arrays of the item."""
        query = condition.query
        paths = dict(self._paths)
        for source in query.sources:
            within = Served(self._policy, paths)
            if source.alias is None or source.expression is None or not within._is_indexed(source.expression):
                return False
            path = within._path(source.expression)
            paths[source.alias] = (*path, EACH) if source.each else path
        return bool(query.sources) and all(map(Served(self._policy, paths).decides, conjuncts(query.where)))


def _compared(condition: Expression) -> list[tuple[Expression, ...]]:
    """What a condition compares, with what it is compared with."""
    match condition:
        case Binary() if condition.operator in _COMPARISONS:
            return [(condition.left, condition.right), (condition.right, condition.left)]
        case In():
            return [(condition.operand, *condition.choices)]
        case Between():
            return [(condition.operand, condition.low, condition.high)]
        case Like():
            return [(condition.operand, condition.pattern)]
    return []
