"""What a client must do to answer a query over several physical partitions: the query plan of the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from local.cosmos.errors import bad_request
from local.cosmos.sql.aggregates import PLAN_NAMES
from local.cosmos.sql.compiler import Compiler
from local.cosmos.sql.grouping import aggregate_calls
from local.cosmos.sql.syntax import Call, Expression, Query
from local.cosmos.sql.values import Value

# Put before the text of a query, it asks one physical partition for its part in the form that the client merges.
PARTIAL_MARK = "/*partial*/ "


@dataclass(frozen=True, slots=True)
class _Feature:
    name: str
    needed: bool


def needs_plan(query: Query) -> bool:
    """True where the answers of several partitions cannot just be put behind each other."""
    return bool(
        query.order_by
        or query.group_by
        or query.distinct
        or query.top is not None
        or query.limit is not None
        or aggregate_calls(query)
    )


def query_plan(query: Query, text: str, parameters: dict[str, Value], supported: set[str]) -> dict[str, Any]:
    """The plan; raises CosmosError 400 where it needs what the client does not support."""
    aggregates = aggregate_calls(query)
    _require_supported(query, aggregates, supported)
    compiler = Compiler(parameters)

    def number(expression: Expression | None) -> Any:
        return None if expression is None else compiler.constant(expression)

    distinct = "None"
    if query.distinct:
        distinct = "Ordered" if _sorted_by_what_it_selects(query) else "Unordered"
    return {
        "partitionedQueryExecutionInfoVersion": 2,
        "queryInfo": {
            "distinctType": distinct,
            "top": number(query.top),
            "offset": number(query.offset),
            "limit": number(query.limit),
            "orderBy": ["Ascending" if sort.ascending else "Descending" for sort in query.order_by],
            "orderByExpressions": [sort.text for sort in query.order_by],
            "groupByExpressions": [],
            "groupByAliases": [],
            "aggregates": [PLAN_NAMES[call.name] for call in aggregates],
            "groupByAliasToAggregateType": {},
            "rewrittenQuery": PARTIAL_MARK + text if needs_plan(query) else "",
            "hasSelectValue": query.value,
            "hasNonStreamingOrderBy": False,
        },
        "queryRanges": [{"min": "", "max": "FF", "isMinInclusive": True, "isMaxInclusive": False}],
    }


def _require_supported(query: Query, aggregates: list[Call], supported: set[str]) -> None:
    features = (
        _Feature("GroupBy", bool(query.group_by)),
        _Feature("Aggregate", bool(aggregates)),
        _Feature("MultipleAggregates", len(aggregates) > 1),
        _Feature("CountIf", any(call.name == "COUNTIF" for call in aggregates)),
        _Feature("DCount", _counts_distinct(query)),
        _Feature("Distinct", query.distinct),
        _Feature("OrderBy", bool(query.order_by)),
        _Feature("MultipleOrderBy", len(query.order_by) > 1),
        _Feature("Top", query.top is not None),
        _Feature("OffsetAndLimit", query.limit is not None),
    )
    missing = [feature.name for feature in features if feature.needed and feature.name not in supported]
    if query.value and query.columns and aggregates and not isinstance(query.columns[0].expression, Call):
        missing.append("AggregateWithinExpression")
    if missing:
        raise bad_request(
            "Query contains the following features, which the calling client does not support: " + " ".join(missing)
        )


def _counts_distinct(query: Query) -> bool:
    return bool(aggregate_calls(query)) and any(
        source.query is not None and source.query.distinct for source in query.sources
    )


def _sorted_by_what_it_selects(query: Query) -> bool:
    return (
        len(query.order_by) == 1
        and query.columns is not None
        and [column.expression for column in query.columns] == [sort.expression for sort in query.order_by]
    )
