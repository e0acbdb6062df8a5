"""The syntax tree of a query. Nodes are values: two that are equal mean the same."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant; `tag` keeps true, 1 and 1.0 apart, which Python does not."""

    value: Any
    tag: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tag", type(self.value).__name__)


@dataclass(frozen=True, slots=True)
class Parameter:
    """`@name`."""

    name: str


@dataclass(frozen=True, slots=True)
class Alias:
    """A name that FROM or JOIN has bound."""

    name: str


@dataclass(frozen=True, slots=True)
class Member:
    """`base.name`, `base["name"]` or `base[0]`."""

    base: Expression
    key: Expression


@dataclass(frozen=True, slots=True)
class Unary:
    """`-`, `+`, `~` and NOT."""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic, bit operations, `||` and comparisons."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Logical:
    """AND or OR of two or more; flat, since clients write a thousand of them."""

    operator: str
    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class In:
    """`operand [NOT] IN (…)`."""

    operand: Expression
    choices: tuple[Expression, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class Between:
    """`operand [NOT] BETWEEN low AND high`."""

    operand: Expression
    low: Expression
    high: Expression
    negated: bool


@dataclass(frozen=True, slots=True)
class Like:
    """`operand [NOT] LIKE pattern [ESCAPE character]`."""

    operand: Expression
    pattern: Expression
    escape: Expression | None
    negated: bool


@dataclass(frozen=True, slots=True)
class Conditional:
    """`test ? then : otherwise`."""

    test: Expression
    then: Expression
    otherwise: Expression


@dataclass(frozen=True, slots=True)
class Coalesce:
    """`left ?? right`: right where left is undefined."""

    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Call:
    """A function by its upper-case name; also the aggregates."""

    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class ObjectLiteral:
    """`{"a": …}`."""

    fields: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True, slots=True)
class ArrayLiteral:
    """`[…]`."""

    elements: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Subquery:
    """`(SELECT …)`, `EXISTS(SELECT …)` or `ARRAY(SELECT …)`; `form` is "" , "EXISTS" or "ARRAY"."""

    form: str
    query: Query


Expression = (
    Literal
    | Parameter
    | Alias
    | Member
    | Unary
    | Binary
    | Logical
    | In
    | Between
    | Like
    | Conditional
    | Coalesce
    | Call
    | ObjectLiteral
    | ArrayLiteral
    | Subquery
)


@dataclass(frozen=True, slots=True)
class Source:
    """One entry of FROM or JOIN.

    each    True for `alias IN expression`: one row for each element of an array
    query   a subquery in place of an expression: one row for each of its results
    """

    alias: str | None
    expression: Expression | None
    each: bool = False
    query: Query | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One entry of a SELECT list; `name` is None where it has none of its own."""

    expression: Expression
    name: str | None


@dataclass(frozen=True, slots=True)
class Sort:
    """One entry of ORDER BY."""

    expression: Expression
    ascending: bool
    text: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Query:
    """`columns` is None for `SELECT *`; with `value` there is exactly one."""

    columns: tuple[Column, ...] | None
    value: bool
    distinct: bool
    top: Expression | None
    sources: tuple[Source, ...]
    where: Expression | None
    group_by: tuple[Expression, ...]
    order_by: tuple[Sort, ...]
    offset: Expression | None
    limit: Expression | None


NODES = (
    Literal,
    Parameter,
    Alias,
    Member,
    Unary,
    Binary,
    Logical,
    In,
    Between,
    Like,
    Conditional,
    Coalesce,
    Call,
    ObjectLiteral,
    ArrayLiteral,
    Subquery,
)


def children(expression: Expression) -> list[Expression]:
    """The expressions that an expression is made of; those within its subqueries are not among them."""
    found: list[Expression] = []
    for part in fields(expression):
        value = getattr(expression, part.name)
        if isinstance(value, NODES):
            found.append(value)
        elif isinstance(value, tuple):
            found.extend(inner if isinstance(inner, NODES) else inner[1] for inner in value)
    return found


AGGREGATES = frozenset(("COUNT", "SUM", "AVG", "MIN", "MAX", "COUNTIF"))
