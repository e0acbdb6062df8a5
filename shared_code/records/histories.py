"""Histories: which versions of a resource a query asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared_code import errors
from shared_code.azure.cosmos import Item
from shared_code.records.queries import milliseconds
from shared_code.records.search import DEFAULT_COUNT, FORM, page_count, require_once

_FOREVER = "9999-12-31T23:59:59.999Z"
_ONCE = ("_at", "_count", "_cursor", "_since")


@dataclass(frozen=True, slots=True)
class Times:
    """When versions were made; instants as `lastUpdated` has them, so that texts compare as they do.

    since    at this instant or later
    first    no earlier than the version that was the current one at this instant
    before   before this instant
    """

    since: str = ""
    first: str = ""
    before: str = _FOREVER

    def reached(self, versions: Sequence[Item]) -> tuple[list[Item], bool]:
        """Those that count of versions before `before`, newest first, and whether older ones than these may count."""
        found: list[Item] = []
        for version in versions:
            if version["lastUpdated"] < self.since:
                return found, False
            found.append(version)
            if version["lastUpdated"] <= self.first:
                return found, False
        return found, True


ALWAYS = Times()


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """A request for versions as it was understood.

    cursor   where the page begins, as a former page's `next` said it
    asked    the parameters that count, as sent, for the links of the page
    """

    count: int = DEFAULT_COUNT
    cursor: str | None = None
    times: Times = ALWAYS
    asked: tuple[tuple[str, str], ...] = ()


EVERY_VERSION = HistoryQuery()


def read_history_query(pairs: Sequence[tuple[str, str]], *, strict: bool = False) -> HistoryQuery:
    """What the query parameters of a history ask for; any other one is left out.

    raises   Malformed: a bad value, twice what may come once, and with `strict` an unknown parameter
    """
    require_once(pairs, _ONCE)
    unknown = [name for name, _ in pairs if name not in _ONCE and name not in FORM]
    if unknown and strict:
        raise errors.Malformed(f"a history has no parameter {', '.join(unknown)[:120]!r} here")
    given = {name: value for name, value in pairs if name in _ONCE}
    count = page_count(given["_count"]) if "_count" in given else DEFAULT_COUNT
    if count == 0:
        raise errors.Malformed("_count of a history must be at least 1: its versions are not counted")
    since = milliseconds("_since", given["_since"])[0] if "_since" in given else ""
    first, before = milliseconds("_at", given["_at"]) if "_at" in given else ("", _FOREVER)
    if "_count" in given:
        given["_count"] = str(count)
    cursor = given.pop("_cursor", None)
    return HistoryQuery(count, cursor, Times(since, first, before), tuple(given.items()))
