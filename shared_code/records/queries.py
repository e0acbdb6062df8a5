"""Search criteria as Cosmos SQL over the stored search values; each FHIR search type is one indexed predicate."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from shared_code import errors
from shared_code.azure.cosmos import Item
from shared_code.fhir import Criterion, DateRange, span
from shared_code.records.locating import item_id

_DATE_SQL = {
    "eq": "d.lo >= {lo} AND d.hi <= {hi}",
    "ne": "(d.lo < {lo} OR d.hi > {hi})",
    "gt": "d.hi > {hi}",
    "ge": "(d.hi > {hi} OR d.lo >= {lo})",
    "lt": "d.lo < {lo}",
    "le": "(d.lo < {lo} OR d.hi <= {hi})",
    "sa": "d.lo >= {hi}",
    "eb": "d.hi <= {lo}",
    "ap": "d.lo < {hi} AND d.hi > {lo}",
}
_INSTANT_SQL = {
    "eq": "({f} >= {lo} AND {f} < {hi})",
    "ne": "({f} < {lo} OR {f} >= {hi})",
    "gt": "{f} >= {hi}",
    "ge": "{f} >= {lo}",
    "lt": "{f} < {lo}",
    "le": "{f} < {hi}",
    "sa": "{f} >= {hi}",
    "eb": "{f} < {lo}",
    "ap": "({f} >= {lo} AND {f} < {hi})",
}
_PREFIXES = tuple(_DATE_SQL)
_BELOW_MILLISECONDS = re.compile(r"(?<=\.\d{3})\d+", re.ASCII)


@dataclass(frozen=True, slots=True)
class UpdatedRange:
    """What `_lastUpdated` asks for: a prefix and the span that its date means, to the millisecond."""

    prefix: str
    lo: str
    hi: str

    def matches(self, last_updated: str) -> bool:
        """Whether a stored `lastUpdated` fits."""
        inside = self.lo <= last_updated < self.hi
        if self.prefix in ("eq", "ap"):
            return inside
        if self.prefix == "ne":
            return not inside
        if self.prefix in ("gt", "sa"):
            return last_updated >= self.hi
        if self.prefix == "ge":
            return last_updated >= self.lo
        return last_updated < (self.hi if self.prefix == "le" else self.lo)


def read_updated(value: str) -> tuple[UpdatedRange, ...]:
    """`_lastUpdated` as sent ("ge2024-01-01", or several with commas, of which one has to fit). Raises Malformed."""
    return tuple(_read_updated(part) for part in value.split(","))


def _read_updated(value: str) -> UpdatedRange:
    prefix = value[:2] if value[:2] in _PREFIXES else "eq"
    date = value.removeprefix(prefix) if value[:2] in _PREFIXES else value
    return UpdatedRange(prefix, *milliseconds("_lastUpdated", date))


def milliseconds(name: str, date: str) -> tuple[str, str]:
    """The span that the date of a parameter means, in the form of `lastUpdated`: a finer date means its millisecond.

    raises  Malformed: not a date
    """
    text = date.replace(" ", "+")  # an unescaped plus of a time zone arrives as a blank
    try:
        lo, hi = span(_BELOW_MILLISECONDS.sub("", text))
    except ValueError as fault:
        raise errors.Malformed(f"{name}: {fault}") from fault
    return f"{lo[:23]}Z", f"{hi[:23]}Z"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which current items of a type a search is for; `ids` None: any; `person` None: of anybody and nobody."""

    type: str
    criteria: tuple[Criterion, ...] = ()
    updated: tuple[tuple[UpdatedRange, ...], ...] = ()  # of each, one has to fit
    ids: frozenset[str] | None = None
    person: str | None = None

    def matches(self, item: Item) -> bool:
        """Whether an item, as a reader sees it, is one of the search's."""
        return (
            item["type"] == self.type
            and item["kind"] in ("current", "link")
            and not item["deleted"]
            and (self.person is None or item["person"] == self.person)
            and (self.ids is None or item["id"].split(":", 1)[1] in self.ids)
            and all(any(one.matches(item["lastUpdated"]) for one in updated) for updated in self.updated)
            and all(criterion.matches(item["s"]) for criterion in self.criteria)
        )


@dataclass(slots=True)
class Sql:
    """A predicate being written, with its parameters."""

    parameters: list[dict[str, Any]] = field(default_factory=list)

    def value(self, value: Any) -> str:
        """The name under which a value stands in the query."""
        name = f"@p{len(self.parameters)}"
        self.parameters.append({"name": name, "value": value})
        return name

    def matching(self, search: Filter) -> str:
        """What an unmarked item must fulfil: the exact counterpart of `Filter.matches`."""
        terms = ["c.deleted = false", *map(self._criterion, search.criteria), *map(self._updated, search.updated)]
        if search.person:
            terms.append(f"c.person = {self.value(search.person)}")
        return " AND ".join(terms)

    def _updated(self, updated: tuple[UpdatedRange, ...]) -> str:
        terms = (
            _INSTANT_SQL[one.prefix].format(f="c.lastUpdated", lo=self.value(one.lo), hi=self.value(one.hi))
            for one in updated
        )
        return f"({' OR '.join(terms)})"

    def _criterion(self, criterion: Criterion) -> str:
        path = f'c.s["{criterion.parameter.name}"]'
        if criterion.missing is not None:
            return f"NOT IS_DEFINED({path})" if criterion.missing else f"IS_DEFINED({path})"
        anyone = f"({' OR '.join(self._alternatives(criterion, path)) or 'false'})"
        return f"(NOT IS_DEFINED({path}) OR NOT {anyone})" if criterion.negated else anyone

    def _alternatives(self, criterion: Criterion, path: str) -> Iterator[str]:
        for alternative in criterion.alternatives:
            if isinstance(alternative, DateRange):
                lo, hi = self.value(alternative.lo), self.value(alternative.hi)
                within = _DATE_SQL[alternative.prefix].format(lo=lo, hi=hi)
                yield f"EXISTS(SELECT VALUE d FROM d IN {path} WHERE {within})"
            else:
                yield f"ARRAY_CONTAINS({path}, {self.value(alternative)})"


def page_query(search: Filter, kinds: tuple[str, ...], after: str, limit: int) -> tuple[str, list[dict[str, Any]]]:
    """A page in the order of item ids: what matches, and every marked item among it, which the reader then judges.

    The ids of a type lie between "Type:" and "Type;", which spares the store the rest of the partition.

    One query, so one consistent state: a transaction's items are all in it, marked or promoted, or none is.
    """
    sql = Sql()
    text = (
        f"SELECT * FROM c WHERE c.type = {sql.value(search.type)}"
        f" AND c.id > {sql.value(after or item_id(search.type, ''))} AND c.id < {sql.value(f'{search.type};')}"
        f" AND (IS_DEFINED(c.tx)"
        f" OR (c.kind IN ({', '.join(sql.value(kind) for kind in kinds)}) AND {sql.matching(search)}))"
        f" ORDER BY c.id OFFSET 0 LIMIT {sql.value(limit)}"
    )
    return text, sql.parameters


def count_query(search: Filter, kinds: tuple[str, ...]) -> tuple[str, list[dict[str, Any]]]:
    """How many unmarked items match."""
    sql = Sql()
    text = (
        f"SELECT VALUE COUNT(1) FROM c WHERE c.type = {sql.value(search.type)} AND NOT IS_DEFINED(c.tx)"
        f" AND c.kind IN ({', '.join(sql.value(kind) for kind in kinds)}) AND {sql.matching(search)}"
    )
    return text, sql.parameters


def person_count_query(search: Filter, kinds: tuple[str, ...]) -> tuple[str, list[dict[str, Any]]]:
    """One row: how many are found that match or are marked, and how many of them are marked; in one partition only."""
    sql = Sql()
    text = (
        "SELECT COUNT(1) AS found, SUM(IS_DEFINED(c.tx) ? 1 : 0) AS marked FROM c"
        f" WHERE c.type = {sql.value(search.type)} AND (IS_DEFINED(c.tx)"
        f" OR (c.kind IN ({', '.join(sql.value(kind) for kind in kinds)}) AND {sql.matching(search)}))"
    )
    return text, sql.parameters


def marked_query(resource_type: str) -> tuple[str, list[dict[str, Any]]]:
    """The marked items of a type."""
    sql = Sql()
    return (
        f"SELECT * FROM c WHERE c.type = {sql.value(resource_type)} AND IS_DEFINED(c.tx)",
        sql.parameters,
    )
