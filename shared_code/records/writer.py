"""Writes resources: finds what they change, lets `versions` decide, claims ids and identifiers, applies all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from shared_code import errors
from shared_code.azure.cosmos import Item, in_parallel
from shared_code.fhir import Resource, home_of, is_homed_type
from shared_code.identity import Caller, may_see, require_write
from shared_code.records.claims import Claims, identifier_key, identifier_tokens
from shared_code.records.conditions import Condition
from shared_code.records.items import Change, Stored, marker_item
from shared_code.records.locating import partition_key, partition_of_id
from shared_code.records.lookups import Lookups
from shared_code.records.transactions import Transactions, until_uncontended
from shared_code.records.versions import Place, Write, decide, touched_elsewhere

LARGE_WRITES = 200  # above, making their items leaves the event loop
MAX_MOVES = 20  # homes that one resource has had, followed one after the other


@dataclass(frozen=True, slots=True)
class ConditionalCreate:
    """A create that holds only while nothing matches its condition."""

    write: Write
    condition: Condition


class Writer:
    """Makes a set of writes happen together or not at all."""

    def __init__(
        self, transactions: Transactions, claims: Claims, lookups: Lookups, now: Callable[[], datetime]
    ) -> None:
        self._transactions, self._claims, self._lookups, self._now = transactions, claims, lookups, now

    async def apply(
        self,
        caller: Caller,
        writes: Sequence[Write],
        creates: Sequence[ConditionalCreate] = (),
        marker: str | None = None,
    ) -> list[Stored | None]:
        """The versions that the writes lead to, in order, those of `creates` last; None for a delete of nothing.

        raises   VersionConflict, NotFound, Forbidden, Conflict: of one write, and then none is made
                 Contended: others change the same resources again and again, or a condition no longer holds
        """
        require_allowed(caller, writes, creates)
        attempt = partial(self._attempt, caller, writes, creates, marker)
        return await (attempt() if creates else until_uncontended(attempt))

    async def _attempt(
        self, caller: Caller, writes: Sequence[Write], creates: Sequence[ConditionalCreate], marker: str | None
    ) -> list[Stored | None]:
        asked = [*writes, *(create.write for create in creates)]
        current = await self._current(caller, asked)
        everything = [_apart_from_people(write, current.get(write.item_id)) for write in asked]
        elsewhere = await self._elsewhere(everything, current)
        deciding = partial(_decide_all, caller, everything, current, elsewhere, self._now())
        made, results = await asyncio.to_thread(deciding) if len(everything) > LARGE_WRITES else deciding()
        changes = [*made, Change(marker_item(marker))] if marker else made
        if changes:
            await self._claim_ids(caller, everything, current)
            await self._apply(changes, creates)
        return results

    async def _apply(self, changes: Sequence[Change], creates: Sequence[ConditionalCreate]) -> None:
        async def claim(tx: str | None) -> None:
            if tx:
                await self._lookups.reserve([(create.condition, create.write.id) for create in creates], tx)
            notes = [note for change in changes for note in _new_identifiers(change)]
            await in_parallel([partial(self._claims.note, key, resource_id, tx) for key, resource_id in notes])

        await self._transactions.apply(changes, claim, staged=bool(creates))

    # Finding

    async def _current(self, caller: Caller, writes: Sequence[Write]) -> dict[str, Item]:
        """The items of the writes' resources where they are at home now, by item id, free of marks."""
        existing = [write for write in writes if write.interaction != "create"]
        pks = await self.partitions(caller, [(write.type, write.id) for write in existing])
        keys = {(write.item_id, pks[write.type, write.id]) for write in existing if (write.type, write.id) in pks}
        keys |= {(write.item_id, write.place.pk) for write in existing if write.place and write.place.person}
        found = await self._transactions.unmarked(sorted(keys)) if keys else {}
        current: dict[str, Item] = {}
        for write in existing:
            item = found.get((write.item_id, pks.get((write.type, write.id), "")))
            if item is None and write.place:
                item = found.get((write.item_id, write.place.pk))
            for _ in range(MAX_MOVES):
                pk = home_elsewhere(item, moves=caller.kind == "system") if item else None
                if pk is None:
                    break
                item = (await self._transactions.unmarked([(write.item_id, pk)])).get((write.item_id, pk))
            is_hidden = item is not None and not may_see(caller, write.type, item["person"])
            # To a person what is another's looks as what never was does; to a system nothing is hidden.
            if is_hidden or (item is None and write.interaction == "delete" and caller.kind != "system"):
                missing = errors.NotFound(f"there is no {write.type}/{write.id}")
                missing.about = f"{write.type}/{write.id}"
                raise missing
            if item is not None:
                current[write.item_id] = item
            elif write.place:
                _require_own_partition(write)
        return current

    async def _elsewhere(self, writes: Sequence[Write], current: Mapping[str, Item]) -> dict[str, dict[str, Item]]:
        keys = {
            (write.item_id, pk)
            for write in writes
            if write.interaction != "create"
            for pk in touched_elsewhere(write, current.get(write.item_id))
        }
        found = await self._transactions.unmarked(sorted(keys)) if keys else {}
        elsewhere: dict[str, dict[str, Item]] = {}
        for (of, pk), item in found.items():
            elsewhere.setdefault(of, {})[pk] = item
        return elsewhere

    async def partitions(self, caller: Caller, resources: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Where each (type, id) is to be looked for by this caller; what no claim knows is left out.

        A person looks at home: a resource of theirs, or a link to it, is in their partition.
        """
        pks: dict[tuple[str, str], str] = {}
        claimed: list[tuple[str, str]] = []
        for resource_type, resource_id in resources:
            homed = is_homed_type(resource_type)
            if not homed:
                pks[resource_type, resource_id] = partition_key(f"{resource_type}/{resource_id}")
            elif caller.person:
                pks[resource_type, resource_id] = partition_key(caller.person)
            elif pk := partition_of_id(resource_id):
                pks[resource_type, resource_id] = pk
            else:
                claimed.append((resource_type, resource_id))
        if claimed:
            found = await self._claims.partitions([f"{kind}/{own}" for kind, own in claimed])
            pks |= {(kind, own): found[f"{kind}/{own}"] for kind, own in claimed if f"{kind}/{own}" in found}
        return pks

    async def _claim_ids(self, caller: Caller, writes: Sequence[Write], current: Mapping[str, Item]) -> None:
        """Claim the client-assigned ids of what these writes make, before it is made."""
        new = {
            f"{write.type}/{write.id}": write.place.pk
            for write in writes
            if write.place and write.interaction == "update" and write.item_id not in current
            if is_homed_type(write.type) and not partition_of_id(write.id)
        }
        if not new:
            return
        try:
            await self._claims.claim_ids(new)
        except errors.Conflict:
            if caller.kind == "system":
                raise
            raise errors.NotFound("one of the resources does not exist, and its id is not free") from None


def _decide_all(
    caller: Caller,
    writes: Sequence[Write],
    current: Mapping[str, Item],
    elsewhere: Mapping[str, Mapping[str, Item]],
    now: datetime,
) -> tuple[list[Change], list[Stored | None]]:
    changes: list[Change] = []
    results: list[Stored | None] = []
    for write in writes:
        try:
            made, result = decide(write, current.get(write.item_id), elsewhere.get(write.item_id, {}), now)
            _require_made(caller, write, made, result)
        except errors.PortalError as error:
            error.about = f"{write.type}/{write.id}"
            raise
        changes += made
        results.append(result)
    return changes, results


def _require_made(caller: Caller, write: Write, made: Sequence[Change], result: Stored | None) -> None:
    """Raises Forbidden where the caller may not make what a write has turned out to be."""
    if result and result.created and write.place:  # an update that makes something is a create, and no less guarded
        require_write(caller, "create", write.type, write.place.person)
    if caller.kind == "system":
        return
    if any(not was and is_link for was, is_link in map(_links, made)):
        raise errors.Forbidden(f"{write.type}/{write.id} names another patient, whose record only a system may enter")
    if any(was and not is_link for was, is_link in map(_links, made)):
        raise errors.Forbidden(
            f"{write.type}/{write.id} is in another patient's record too, from which only a system may take it"
        )


def _links(change: Change) -> tuple[bool, bool]:
    """Whether there was a link to a further patient's record before a change, and whether there is one after it."""
    was, is_now = (
        item is not None and item["kind"] == "link" and not item["deleted"] for item in (change.base, change.item)
    )
    return was, is_now


def require_allowed(caller: Caller, writes: Sequence[Write], creates: Sequence[ConditionalCreate] = ()) -> None:
    """Raises Forbidden where the caller may not make one of the writes, whatever is stored."""
    for write in [*writes, *(create.write for create in creates)]:
        try:
            require_write(caller, write.interaction, write.type, write.place.person if write.place else caller.person)
        except errors.PortalError as error:
            error.about = f"{write.type}/{write.id}"
            raise
    own = {None, partition_key(caller.person)} if caller.person else {None}
    if caller.kind != "system" and any(create.condition.pk not in own for create in creates):
        # Whether a create under it takes place would tell what is in the other's record.
        raise errors.Forbidden("a condition may not speak of another person's record")


def home_elsewhere(item: Item, *, moves: bool) -> str | None:
    """The partition where to go on looking for a resource: a link says it, and with `moves` what a move has left."""
    return item["home"] if item["kind"] == "link" else item.get("movedTo") if moves else None


def _new_identifiers(change: Change) -> list[tuple[str, str]]:
    """The claims of the identifiers that a change gives its resource, and the resource's id; most changes give none."""
    known = set(identifier_tokens(change.base)) if change.base else set()
    tokens = [token for token in identifier_tokens(change.item) if token not in known]
    resource_id = change.item["id"].split(":", 1)[1]
    return [(identifier_key(change.item["type"], token), resource_id) for token in tokens]


def _require_own_partition(write: Write) -> None:
    pk = partition_of_id(write.id) if is_homed_type(write.type) else None
    if pk and write.place and pk != write.place.pk:
        raise errors.NotFound(
            f"there is no {write.type}/{write.id}, and an id of this form cannot be given to what is at home elsewhere"
        )


def _apart_from_people(write: Write, current: Item | None) -> Write:
    """The write with its place made right where a resource is nobody's now: it stays where it is nobody's, and is not
    put into the partition of somebody who had it, though its id may name that one."""
    if current is None or write.place is None or write.place.person or not is_homed_type(write.type):
        return write
    pk = partition_key(f"{write.type}/{write.id}") if current["person"] else current["pk"]
    return replace(write, place=Place(pk, None))


def place_of(resource: Resource, resource_id: str) -> Place:
    """Where a resource is, or will be, at home; its id names the partition where nobody does."""
    resource_type = str(resource["resourceType"])
    person = f"Patient/{resource_id}" if resource_type == "Patient" else home_of(resource)
    if person:
        return Place(partition_key(person), person)
    own = partition_of_id(resource_id) if is_homed_type(resource_type) else None
    return Place(own or partition_key(f"{resource_type}/{resource_id}"), None)
