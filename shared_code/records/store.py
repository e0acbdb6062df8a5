"""The record store: FHIR's interactions on resources, each checked against what its caller may see and do."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from shared_code import errors
from shared_code.azure.cosmos import Item, first_page, in_parallel
from shared_code.fhir import SHARED_TYPES, Resource, home_of, is_homed_type, make_relative, resource_types, validate
from shared_code.identity import Caller, may_see, require_scope
from shared_code.records.claims import Claims
from shared_code.records.conditions import Condition, identified, read_condition
from shared_code.records.histories import ALWAYS, EVERY_VERSION, HistoryQuery
from shared_code.records.items import Stored, marker_item, stored
from shared_code.records.locating import (
    is_fhir_id,
    item_id,
    ordered_id,
    partition_key,
    partition_of_id,
    random_partition_key,
    server_id,
)
from shared_code.records.lookups import Lookups
from shared_code.records.queries import Filter
from shared_code.records.search import (
    Page,
    Query,
    Searches,
    make_cursor,
    read_cursor,
    scope_of,
    version_of_cursor,
)
from shared_code.records.transactions import Transactions, until_uncontended
from shared_code.records.versions import Write
from shared_code.records.writer import (
    MAX_MOVES,
    ConditionalCreate,
    Writer,
    home_elsewhere,
    place_of,
    require_allowed,
)

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

MAX_VERSION = 10**9
_VERSION_ID = re.compile(r"[1-9][0-9]{0,8}")


class RecordStore:
    """Resources in Cosmos DB, a person in a partition. Source: docs/records.md"""

    def __init__(
        self,
        records: ContainerProxy,
        keys: ContainerProxy,
        transactions: ContainerProxy,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        random: Callable[[int], bytes] = os.urandom,
        base_url: str = "",
    ) -> None:
        """`base_url` is where the resources are found by others; a reference that begins with it is a relative one."""
        self._records, self._now, self._random, self._base_url = records, now, random, base_url
        self.transactions = Transactions(records, transactions, now)
        claims = Claims(keys, now)
        self._lookups = Lookups(records, claims, self.transactions)
        self._writer = Writer(self.transactions, claims, self._lookups, now)
        self._searches = Searches(records, self.transactions)

    # Reading

    async def read(self, caller: Caller, resource_type: str, resource_id: str) -> Stored:
        """The current version. Raises NotFound, also for what the caller may not see, and Gone after a delete."""
        require_type(resource_type)
        require_scope(caller, "read", resource_type)
        item = await self._find(caller, resource_type, resource_id)
        if item["deleted"]:
            raise errors.Gone(f"{resource_type}/{resource_id} was deleted")
        return stored(item)

    async def vread(self, caller: Caller, resource_type: str, resource_id: str, version: str) -> Stored:
        """One version. Raises NotFound where there is none, and Gone where that version is the deletion."""
        require_type(resource_type)
        require_scope(caller, "read", resource_type)
        item = await self._find(caller, resource_type, resource_id)
        wanted = int(version) if _VERSION_ID.fullmatch(version) else 0
        if item["version"] != wanted:
            versions, _ = await self._versions(caller, item, wanted + 1, 1)
            item = versions[0] if versions else item
        if item["version"] != wanted:
            raise errors.NotFound(f"{resource_type}/{resource_id} has no version {version[:20]}")
        if item["deleted"]:
            raise errors.Gone(f"version {version} of {resource_type}/{resource_id} is its deletion")
        return stored(item)

    async def history(
        self,
        caller: Caller,
        resource_type: str,
        resource_id: str,
        query: HistoryQuery = EVERY_VERSION,
    ) -> Page:
        """The versions, newest first; a person sees those that are, or were, of their record, a system all."""
        require_type(resource_type)
        require_scope(caller, "read", resource_type)
        item = await self._find(caller, resource_type, resource_id)
        below = version_of_cursor(query.cursor) if query.cursor else MAX_VERSION
        found, more = await self._versions(caller, item, below, query.count + 1, query.times.before)
        before = found[1 : query.count + 1]
        page, older = query.times.reached(found[: query.count])
        if query.times.first and page and not older and await self._was_over(item, page[-1], query.times.first):
            page.pop()
        cursor = make_cursor("", "", str(page[-1]["version"])) if older and (more or len(found) > query.count) else None
        after_deletion = {one["version"] + 1 for one in before if one["deleted"]}
        versions = [stored(one, one["version"] == 1 or one["version"] in after_deletion) for one in page]
        return Page(versions, None, cursor)

    async def search(self, caller: Caller, query: Query) -> Page:
        """A page of what matches and the caller may see."""
        require_type(query.filter.type)
        require_scope(caller, "search", query.filter.type)
        ids = query.filter.ids
        if ids is None:
            scope = scope_of(caller, query.filter)
            if scope is not None:
                return await self._searches.in_scope(scope, query)
            ids = await self._identified(caller, query.filter)
        return await self._by_ids(caller, query, ids)

    async def _by_ids(self, caller: Caller, query: Query, ids: frozenset[str]) -> Page:
        async def one(resource_id: str) -> Item | None:
            try:
                item = await self._find(caller, query.filter.type, resource_id)
            except errors.NotFound:
                return None
            return item if replace(query.filter, ids=None).matches(item) else None

        after = read_cursor(query.cursor)[2] if query.cursor else ""
        items = [item for item in await in_parallel([partial(one, own) for own in sorted(ids)]) if item]
        rest = [item for item in items if item["id"] > after]
        more = len(rest) > query.count > 0
        page = rest[: query.count]
        cursor = make_cursor("", "FF", page[-1]["id"]) if more else None
        return Page([stored(item) for item in page], len(items) if query.total else None, cursor)

    async def _identified(self, caller: Caller, search: Filter) -> frozenset[str]:
        """The ids that a search has to name by an identifier. People's records do not exist for a practitioner."""
        if search.type not in SHARED_TYPES:
            return frozenset()
        condition = identified(search.type, search.criteria)
        if condition is None:
            raise errors.NotImplementedHere(
                f"a search of {search.type}, which is shared by all, needs _id or identifier=system|value here"
            )
        return frozenset((await self._lookups.find(caller, [condition]))[condition])

    async def find(self, caller: Caller, conditions: Sequence[Condition]) -> dict[Condition, list[str]]:
        """The ids that match each condition, all in one look-up."""
        for condition in conditions:
            require_scope(caller, "search", condition.type)
        return await self._lookups.find(caller, conditions)

    async def existing(self, caller: Caller, references: Sequence[str]) -> set[str]:
        """Those of the references ("Type/id") whose resource exists and the caller may see."""

        async def one(reference: str) -> str | None:
            resource_type, _, resource_id = reference.partition("/")
            try:
                item = await self._find(caller, resource_type, resource_id)
            except errors.NotFound:
                return None
            return None if item["deleted"] else reference

        return {found for found in await in_parallel([partial(one, reference) for reference in references]) if found}

    # Writing

    async def create(self, caller: Caller, resource: Resource, if_none_exist: str | None = None) -> Stored:
        """Store a resource under a new id, unless one matches the condition; then that one is the answer.

        raises   Invalid: not valid R4; Forbidden; VersionConflict: several match the condition
        """
        resource_type = self.checked(resource)
        if if_none_exist is None:
            results = await self._writer.apply(caller, [self.new_write(resource)])
            return _one(results)
        condition = read_condition(resource_type, if_none_exist, self._base_url)
        return await self.create_unless(caller, self.new_write(resource), condition)

    def checked(self, resource: Resource) -> str:
        """The type of a valid resource; its references to resources of this server are relative from here on.

        raises   Invalid: not valid R4; NotFound: a type that has no endpoint
        """
        resource_type = require_type(resource.get("resourceType"))
        make_relative(validate(resource)[id(resource)].references, self._base_url)
        return resource_type

    async def create_unless(self, caller: Caller, create: Write, condition: Condition) -> Stored:
        """Make a create unless something matches the condition, which is the answer then.

        raises   as `create`
        """

        async def attempt() -> Stored:
            match = single(condition, (await self.find(caller, [condition]))[condition])
            if match:
                return await self.read(caller, create.type, match)
            return _one(await self._writer.apply(caller, [], [ConditionalCreate(create, condition)]))

        return await until_uncontended(attempt)

    async def update(
        self,
        caller: Caller,
        resource: Resource,
        if_match: str | None = None,
        *,
        guarded: bool = False,
        if_none_match: str | None = None,
    ) -> Stored:
        """Store the next version, or the first one under an id of the caller's making.

        if_none_match   "*": only the first one
        raises   Invalid, Forbidden, NotFound, VersionConflict: `if_match` is not the stored version, or is
                 missing where a stored one is guarded
        """
        resource_type = self.checked(resource)
        resource_id = resource.get("id")
        if not isinstance(resource_id, str):
            raise errors.Malformed(f"an update needs the id in the {resource_type}", f"{resource_type}.id")
        write = update_write(resource, resource_id, if_match, guarded=guarded, if_none_match=if_none_match)
        return _one(await self._writer.apply(caller, [write]))

    async def delete(
        self,
        caller: Caller,
        resource_type: str,
        resource_id: str,
        if_match: str | None = None,
        *,
        guarded: bool = False,
    ) -> Stored | None:
        """Delete it; the deletion is a version of its own. Deleting what is deleted already changes nothing.

        raises   NotFound: there never was such a resource, as far as this person may know
        """
        require_type(resource_type)
        if not is_fhir_id(resource_id):
            raise errors.NotFound(f"there is no {resource_type}/{resource_id[:70]}")
        results = await self._writer.apply(
            caller, [Write("delete", resource_type, resource_id, if_match=if_match, guarded=guarded)]
        )
        return results[0]

    def require_allowed(
        self, caller: Caller, writes: Sequence[Write], creates: Sequence[ConditionalCreate] = ()
    ) -> None:
        """Raises Forbidden where the caller may not make one of the writes, whatever is stored."""
        require_allowed(caller, writes, creates)

    async def transact(
        self,
        caller: Caller,
        writes: Sequence[Write],
        creates: Sequence[ConditionalCreate] = (),
        marker: str | None = None,
    ) -> list[Stored | None]:
        """All writes, already validated and with their references resolved, or none; results in order.

        marker   a name that is stored with them, for `has_marker` to tell whether they were made
        """
        return await self._writer.apply(caller, writes, creates, marker)

    async def has_marker(self, marker: str) -> bool:
        """Whether the writes with this marker were made."""
        item = marker_item(marker)
        return await self.transactions.visible(item["pk"], item["id"]) is not None

    def new_write(self, resource: Resource, resource_id: str | None = None) -> Write:
        """The create of a resource under a new id; an id that it brings along is ignored."""
        new_id = resource_id or self.new_id(resource)
        place = place_of(resource, new_id)
        if is_homed_type(resource["resourceType"]) and partition_of_id(new_id) != place.pk:
            raise ValueError("the id is of another partition than the resource, which nobody would find by it")
        return Write("create", resource["resourceType"], new_id, resource, place)

    def new_id(self, resource: Resource, digest: bytes | None = None) -> str:
        """An id for a resource to come; where it may be at home with a person, the id carries that partition.

        digest   32 bytes that it follows from instead of the time and chance, so that a second run gives the same
        """
        now_ms = int.from_bytes(digest[:5]) if digest else int(self._now().timestamp() * 1000)
        random = digest[5:] if digest else self._random(23)
        if not is_homed_type(resource["resourceType"]):
            return ordered_id(now_ms, random)
        person = home_of(resource)
        return server_id(partition_key(person) if person else random_partition_key(random[10:]), now_ms, random)

    # Finding

    async def _find(self, caller: Caller, resource_type: str, resource_id: str) -> Item:
        """The item where the resource is at home, a tombstone among them. Raises NotFound, also for what is hidden."""
        missing = errors.NotFound(f"there is no {resource_type}/{resource_id[:70]}")
        if not is_fhir_id(resource_id):
            raise missing
        of = item_id(resource_type, resource_id)
        pks = await self._writer.partitions(caller, [(resource_type, resource_id)])
        pk = pks.get((resource_type, resource_id))
        item = await self.transactions.visible(pk, of) if pk else None
        linked = item is not None and item["kind"] == "link" and not item["deleted"]
        for _ in range(MAX_MOVES):
            pk = home_elsewhere(item, moves=linked or caller.kind == "system") if item else None
            if pk is None:
                break
            item = await self.transactions.visible(pk, of)
        if item is None or not sees(caller, item):
            raise missing
        return item

    async def _versions(
        self, caller: Caller, item: Item, below: int, count: int, before: str = ALWAYS.before
    ) -> tuple[list[Item], bool]:
        """The newest versions below one that the caller may see, wherever they are, and whether there are older ones.

        before   the instant before which they were made
        Large versions fill a page of the store before they are `count`: then there are fewer.
        """
        found: dict[int, Item] = {}
        complete_from = 0
        for rows, rest in await in_parallel(
            [partial(self._versions_in, caller, pk, item, below, count + 1, before) for pk in _homes(item)]
        ):
            found |= {row["version"]: row for row in rows}
            complete_from = max(complete_from, rest)
        versions = [version for version in sorted(found, reverse=True) if version >= complete_from]
        return [found[version] for version in versions[:count]], complete_from > 0 or len(versions) > count

    async def _was_over(self, item: Item, version: Item, instant: str) -> bool:
        """Whether a version had been followed by another at an instant, whoever may see that one."""
        parameters: list[dict[str, Any]] = [
            {"name": "@of", "value": item["id"]},
            {"name": "@next", "value": version["version"] + 1},
        ]
        sql = "SELECT c.lastUpdated FROM c WHERE c.version = @next AND (c.id = @of OR c.of = @of)"
        for pk in _homes(item):
            rows, _ = await first_page(self._records, sql, parameters, 1, item["id"], partition_key=pk)
            if any(row["lastUpdated"] <= instant for row in rows):
                return True
        return False

    async def _versions_in(
        self, caller: Caller, pk: str, item: Item, below: int, count: int, before: str
    ) -> tuple[list[Item], int]:
        """Those in one partition, and the oldest of them where there are more than were read (else 0).

        The current ones are read first: what is none any more by then is a past one.
        """
        rows = [row for row in await self.transactions.versions(pk, item["id"]) if row["kind"] == "current"]
        mine = "NOT IS_DEFINED(c.movedTo)" if caller.kind == "system" else "true"
        parameters: list[dict[str, Any]] = [
            {"name": "@of", "value": item["id"]},
            {"name": "@below", "value": below},
            {"name": "@before", "value": before},
            {"name": "@count", "value": count},
        ]
        if caller.kind != "system" and item["person"]:
            mine = "(c.person = @person OR ARRAY_CONTAINS(c.links, @person))"
            parameters.append({"name": "@person", "value": caller.person})
        sql = (
            "SELECT * FROM c WHERE c.kind = 'past' AND c.of = @of AND c.version < @below"
            f" AND c.lastUpdated < @before AND {mine} ORDER BY c.version DESC OFFSET 0 LIMIT @count"
        )
        past, cut_short = await first_page(self._records, sql, parameters, count, item["id"], partition_key=pk)
        current = [row for row in rows if row["version"] < below and row["lastUpdated"] < before]
        seen = [row for row in [*current, *past] if row["version"] < below and sees(caller, row)]
        return seen, past[-1]["version"] if cut_short else 0


def _homes(item: Item) -> list[str]:
    """The partitions where a resource has versions; of one that has left a record also the one where it went on."""
    return [item["pk"], *item.get("movedFrom", []), *([item["movedTo"]] if "movedTo" in item else [])]


def sees(caller: Caller, item: Item) -> bool:
    """Whether a version is one of the caller's: of their record, or naming them as a further patient.

    To a system, what a move leaves is no version: the resource went on.
    """
    if caller.kind == "system":
        return "movedTo" not in item
    return may_see(caller, item["type"], item["person"]) or caller.person in item.get("links", ())


def update_write(
    resource: Resource,
    resource_id: str,
    if_match: str | None = None,
    *,
    guarded: bool = False,
    if_none_match: str | None = None,
) -> Write:
    """The update of a resource; raises Malformed where the id is none, or If-None-Match anything but "*"."""
    resource_type = resource["resourceType"]
    if not is_fhir_id(resource_id):
        raise errors.Malformed("an id has 1 to 64 letters, digits, hyphens and dots", f"{resource_type}.id")
    if if_none_match not in (None, "*"):
        raise errors.Malformed(f"If-None-Match of an update can only be *, not {if_none_match[:40]!r}")
    place = place_of(resource, resource_id)
    return Write("update", resource_type, resource_id, resource, place, if_match, guarded, if_none_match == "*")


def require_type(resource_type: object) -> str:
    """The type, if it is one that has an endpoint; raises NotFound."""
    if not isinstance(resource_type, str) or resource_type not in resource_types():
        raise errors.NotFound(f"{str(resource_type)[:40]!r} is not a resource type of R4 that has an endpoint")
    return resource_type


def single(condition: Condition, ids: Sequence[str]) -> str | None:
    """The one id that matches, or None. Raises VersionConflict where several do."""
    if len(ids) > 1:
        raise errors.VersionConflict(f"several resources match {condition.type}?{condition.query}")
    return ids[0] if ids else None


def _one(results: Sequence[Stored | None]) -> Stored:
    result = results[0]
    if result is None:
        raise AssertionError("a create or update leads to a version")
    return result
