"""What GROUP BY and aggregates ask of a SELECT: each part of it is grouped by, aggregated, or the same in all rows."""

from __future__ import annotations

from local.cosmos.errors import bad_request
from local.cosmos.sql.syntax import AGGREGATES, Alias, Call, Expression, Literal, Member, Query, children


def aggregate_calls(query: Query) -> list[Call]:
    """The aggregates in the SELECT of a query, each once."""
    return list(dict.fromkeys(call for column in query.columns or () for call in aggregates_in(column.expression)))


def aggregates_in(expression: Expression) -> list[Call]:
    """The aggregates of an expression; those of its subqueries are their own."""
    if isinstance(expression, Call) and expression.name in AGGREGATES:
        return [expression]
    return [call for inner in children(expression) for call in aggregates_in(inner)]


def require_grouped(query: Query) -> None:
    """Raises CosmosError 400 for a SELECT that names what has another value in each row of a group."""
    bound = {source.alias for source in query.sources}
    for column in query.columns or ():
        reference = _ungrouped(column.expression, query.group_by, bound)
        if reference is not None:
            raise bad_request(
                f"Property reference '{_text(reference)}' is invalid in the select list because it is neither"
                " aggregated nor grouped: it is not contained in either an aggregate function or the GROUP BY clause."
            )


def _ungrouped(expression: Expression, grouped: tuple[Expression, ...], bound: set[str | None]) -> Expression | None:
    """The first reference to a row, as long as it is written; subqueries are not looked into."""
    if expression in grouped or (isinstance(expression, Call) and expression.name in AGGREGATES):
        return None
    root = expression
    while isinstance(root, Member) and root not in grouped:
        root = root.base
    if isinstance(root, Alias) and root.name in bound and root not in grouped:
        return expression
    found = (_ungrouped(part, grouped, bound) for part in children(expression))
    return next((one for one in found if one is not None), None)


def _text(expression: Expression) -> str:
    if isinstance(expression, Member):
        key = expression.key.value if isinstance(expression.key, Literal) else "…"
        return f"{_text(expression.base)}.{key}" if isinstance(key, str) else f"{_text(expression.base)}[{key}]"
    return expression.name if isinstance(expression, Alias) else "…"
