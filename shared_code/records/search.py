"""Searches: what a query asks for, where it has to look, and its pages."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from shared_code import errors
from shared_code.azure.cosmos import Item, cosmos_errors, first_page, in_parallel
from shared_code.fhir import SHARED_TYPES, criterion, is_homed_type, search_parameters
from shared_code.identity import Caller
from shared_code.records.conditions import person_of
from shared_code.records.items import Stored, stored
from shared_code.records.locating import is_fhir_id, partition_key
from shared_code.records.queries import (
    Filter,
    count_query,
    marked_query,
    page_query,
    person_count_query,
    read_updated,
)
from shared_code.records.transactions import Transactions

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

DEFAULT_COUNT, MAX_COUNT, MAX_IDS = 50, 1000, 200
MAX_VALUES = 200  # the text of a query has an end in Cosmos DB, and each of them is looked up on its own
_STEADY_ATTEMPTS = 12  # pauses between them grow to a quarter of a second: about two seconds in all
_WHOLE = ("", "FF")  # every feed range lies between these effective partition keys
# Parameters of the answer's form, which select nothing; `_format` is read at the HTTP door.
FORM = frozenset({"_format", "_pretty"})
_ONCE = ("_count", "_cursor", "_summary", "_total")


@dataclass(frozen=True, slots=True)
class Query:
    """A search as it was understood; `unknown` are the parameters that nobody here knows.

    cursor   where the page begins, as a former page's `next` said it
    asked    the parameters that count, as sent, for the links of the page
    """

    filter: Filter
    count: int = DEFAULT_COUNT
    total: bool = False
    cursor: str | None = None
    unknown: tuple[str, ...] = ()
    asked: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a search or of a history; `next` is the cursor of the page that follows, None at the end."""

    resources: list[Stored] = field(default_factory=list)
    total: int | None = None
    next: str | None = None


def read_query(
    resource_type: str, pairs: Sequence[tuple[str, str]], base_url: str = "", *, strict: bool = False
) -> Query:
    """What query parameters ask for; `base_url` is where this server's resources are found.

    raises   Malformed: a bad value, twice what may come once, and with `strict` an unknown parameter
    """
    require_once(pairs, _ONCE)
    filters: dict[str, Any] = {"criteria": [], "updated": [], "ids": None}
    asked: list[tuple[str, str]] = []
    unknown: list[str] = []
    count, total, cursor, alone = DEFAULT_COUNT, False, None, False
    for name, value in pairs:
        if name == "_cursor":
            cursor = value
            continue
        if name == "_count":
            count = page_count(value)
            asked.append((name, str(count)))
            continue
        elif name == "_total":
            total = _total(value)
        elif name == "_summary" and value == "count":
            alone = True
        elif name == "_id":
            ids = _ids(value)
            filters["ids"] = ids if filters["ids"] is None else filters["ids"] & ids
        elif name == "_lastUpdated":
            filters["updated"].append(read_updated(value))
        elif name.startswith(("_id:", "_lastUpdated:")):
            raise errors.Malformed(f"{name[:60]!r}: there is no modifier of {name.split(':')[0]} here")
        elif name.split(":")[0] in search_parameters(resource_type):
            filters["criteria"].append(criterion(resource_type, name, value, base_url))
        elif name not in FORM:
            unknown.append(name)
            continue
        asked.append((name, value))
    if unknown and strict:
        raise errors.Malformed(f"{resource_type} has no search parameter {', '.join(unknown)[:120]!r} here")
    values = [*map(len, filters["updated"]), *(max(1, len(one.alternatives)) for one in filters["criteria"])]
    if sum(values) > MAX_VALUES:
        raise errors.Malformed(f"a search has at most {MAX_VALUES} values to look for")
    search = Filter(resource_type, tuple(filters["criteria"]), tuple(filters["updated"]), filters["ids"])
    count = 0 if alone else count
    return Query(search, count, total or count == 0, cursor, tuple(unknown), tuple(asked))


def require_once(pairs: Sequence[tuple[str, str]], once: Sequence[str]) -> None:
    """Raises Malformed where a parameter that may come once comes again."""
    names = [name for name, _ in pairs]
    for name in once:
        if names.count(name) > 1:
            raise errors.Malformed(f"{name} may come once only")


def page_count(value: str) -> int:
    """How many resources a page may have, as `_count` says. Raises Malformed."""
    if not (value.isascii() and value.isdecimal()):
        raise errors.Malformed(f"_count must be a whole number, not {value[:20]!r}")
    digits = value.lstrip("0")[: len(str(MAX_COUNT)) + 1]  # enough to tell that it is above the most
    return min(int(digits or "0"), MAX_COUNT)


def _total(value: str) -> bool:
    if value not in ("none", "estimate", "accurate"):
        raise errors.Malformed(f"_total must be none, estimate or accurate, not {value[:20]!r}")
    return value != "none"


def _ids(value: str) -> frozenset[str]:
    ids = frozenset(value.split(","))
    if len(ids) > MAX_IDS or not all(map(is_fhir_id, ids)):
        raise errors.Malformed(f"_id must be up to {MAX_IDS} ids with commas between")
    return ids


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a search looks: with one person, or in a stretch of effective partition keys (a system's search only)."""

    person: str | None = None
    lo: str = ""
    hi: str = "FF"

    @property
    def pk(self) -> str | None:
        """The partition of the person; there may also be what is nobody's in it."""
        return partition_key(self.person) if self.person else None

    @property
    def kinds(self) -> tuple[str, ...]:
        """A person's partition answers with links too; over several partitions the home alone does."""
        return ("current", "link") if self.pk else ("current",)


class Searches:
    """Runs searches over `records`; who may see what is decided by the scope that the caller is given."""

    def __init__(self, records: ContainerProxy, transactions: Transactions) -> None:
        self._records, self._transactions = records, transactions

    async def in_scope(self, scope: Scope, query: Query) -> Page:
        """A page, in the order of ids. It may hold fewer than asked for, and still have a next one."""
        query = replace(query, filter=replace(query.filter, person=scope.person))
        total = await self._total(scope, query.filter) if query.total else None
        if query.count == 0:
            return Page(total=total)
        lo, hi, after = read_cursor(query.cursor) if query.cursor else (scope.lo, scope.hi, "")
        if scope.pk:
            items, last = await self._fetch({"partition_key": scope.pk}, scope, query, after)
            cursor = make_cursor("", "FF", last) if last else None
            return Page(await self._stored(items), total, cursor)
        found: list[Item] = []
        cursor = None
        async for low, high, feed_range in self._ranges(lo, scope.hi):
            start = after if low < hi else ""  # the stretch that the cursor was in, also where it has split since
            items, last = await self._fetch({"feed_range": feed_range}, scope, query, start, len(found))
            found += items
            if last:
                cursor = make_cursor(low, high, last)
                break
            if len(found) >= query.count:
                cursor = make_cursor(high, high, "") if high != _WHOLE[1] else None
                break
        return Page(await self._stored(found), total, cursor)

    async def _fetch(
        self, where: dict[str, Any], scope: Scope, query: Query, after: str, have: int = 0
    ) -> tuple[list[Item], str | None]:
        """Up to a page of what matches after an item id, and the id to go on after, if there is more."""
        wanted = query.count - have
        sql, parameters = page_query(query.filter, scope.kinds, after, wanted + 1)
        more: str | None = None

        async def fetch() -> list[Item]:
            nonlocal more
            raw, cut_short = await first_page(self._records, sql, parameters, wanted + 1, "a search", **where)
            more = raw[:wanted][-1]["id"] if raw and (cut_short or len(raw) > wanted) else None
            return raw[:wanted]

        items = await self._transactions.snapshot(fetch)
        return [item for item in items if item["kind"] in scope.kinds and query.filter.matches(item)], more

    async def _ranges(self, lo: str, hi: str) -> AsyncIterator[tuple[str, str, dict[str, Any]]]:
        with cosmos_errors("the feed ranges"):
            ranges = [feed_range async for feed_range in self._records.read_feed_ranges()]
        for feed_range in sorted(ranges, key=lambda one: one["Range"]["min"]):
            low, high = feed_range["Range"]["min"], feed_range["Range"]["max"]
            if high > lo and low < hi:
                yield low, high, feed_range

    async def _total(self, scope: Scope, search: Filter) -> int:
        if scope.pk:
            return await self._total_in({"partition_key": scope.pk}, scope, search)
        ranges = [feed_range async for _, _, feed_range in self._ranges(scope.lo, scope.hi)]
        totals = await in_parallel([partial(self._total_in, {"feed_range": one}, scope, search) for one in ranges])
        return sum(totals)

    async def _total_in(self, where: dict[str, Any], scope: Scope, search: Filter) -> int:
        count = 0

        async def fetch() -> list[Item]:
            nonlocal count
            if scope.pk:
                count, marked = await self._counted(where, scope, search)
                return marked
            marked = await self._all(*marked_query(search.type), where)
            count = sum(await self._all(*count_query(search, scope.kinds), where))
            return marked  # over several people it is no snapshot

        seen = await self._transactions.snapshot(fetch)
        return count + sum(item["kind"] in scope.kinds and search.matches(item) for item in seen)

    async def _counted(self, where: dict[str, Any], scope: Scope, search: Filter) -> tuple[int, list[Item]]:
        """How many unmarked items of a person match, and the marked ones, of one state of the partition.

        The count tells how many are marked in its state. Where that is as many as before and after it, and each of
        them is unchanged, those are the marked ones of its state: whatever came and went between would be one more.
        """
        marked: list[Item] | None = None
        for attempt in range(_STEADY_ATTEMPTS):
            (row,) = await self._all(*person_count_query(search, scope.kinds), where)
            found, of_them_marked = int(row["found"]), int(row.get("marked", 0))
            if not of_them_marked:
                return found, []
            after = await self._all(*marked_query(search.type), where)
            if marked is not None and _etags(after) == _etags(marked) and len(marked) == of_them_marked:
                return found - of_them_marked, marked
            marked = after
            await asyncio.sleep(0.025 * attempt)
        raise errors.Busy("others change so much that it cannot be counted now; ask again, or without _total", 2)

    async def _all(self, sql: str, parameters: list[dict[str, Any]], where: dict[str, Any]) -> list[Any]:
        with cosmos_errors("a search"):
            return [row async for row in self._records.query_items(sql, parameters=parameters, **where)]

    async def _stored(self, items: Iterable[Item]) -> list[Stored]:
        """The versions that items hold; a link's is read at its home."""

        async def one(item: Item) -> Stored | None:
            if item["kind"] != "link":
                return stored(item)
            home = await self._transactions.visible(item["home"], item["id"])
            named = home is not None and not home["deleted"] and item["person"] in home.get("links", ())
            return stored(home) if home and named else None

        found = await in_parallel([partial(one, item) for item in items])
        return [version for version in found if version]


def _etags(items: Iterable[Item]) -> set[str]:
    return {item["_etag"] for item in items}


def scope_of(caller: Caller, search: Filter) -> Scope | None:
    """Where a search has to look for this caller; None: nowhere, but for what it names by `_id` or identifier.

    A person's search without `patient` means "mine". A system's that names one person looks in that partition; any
    other of its searches goes through all partitions, page by page.
    """
    if caller.kind != "system":
        shared = search.type in SHARED_TYPES or caller.person is None
        return None if shared else Scope(caller.person)
    person = next((person for person in map(person_of, search.criteria) if person), None)
    return Scope(person) if person and is_homed_type(search.type) else Scope()


def make_cursor(lo: str, hi: str, after: str) -> str:
    """A place in a search as one opaque word: the stretch of partitions it is in, and the item id to go on after."""
    return base64.urlsafe_b64encode(msgspec.json.encode([lo, hi, after])).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[str, str, str]:
    """What `make_cursor` wrote. Raises Malformed for anything else."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return msgspec.json.decode(text, type=tuple[str, str, str])
    except (binascii.Error, msgspec.MsgspecError, UnicodeError, ValueError) as fault:
        raise errors.Malformed("_cursor is not one that this server gave; begin the search again") from fault


def version_of_cursor(cursor: str) -> int:
    """The version in a cursor of a history. Raises Malformed for any other cursor."""
    lo, hi, version = read_cursor(cursor)
    if lo or hi or not version.isdecimal() or len(version) > 9:
        raise errors.Malformed("_cursor is not one of a history; begin at its first page")
    return int(version)
