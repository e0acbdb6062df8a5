"""The `keys` container: which partition a client's id is in, and which resources have an identifier.

    {id: "id:<Type>:<id>", slot, pk}                        a client-assigned id is taken, for the partition pk
    {id: "identifier:<digest>", slot, refs: [{id, at, tx}]} resources that have, or are about to get, an identifier
    {id: "condition:<digest>", slot, refs: […]}             creates under way on any other condition

An identifier's refs are hints, written before the resource is: each is checked at its home, so a hint may be stale but
none is missing. A ref whose transaction is pending, or whose time is short ago, reserves what it names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from shared_code import errors
from shared_code.azure.cosmos import Item, cosmos_errors, in_parallel, read_many, read_or_none
from shared_code.fhir import SHARED_TYPES
from shared_code.records.items import fhir_instant
from shared_code.records.locating import slot_of

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

RESERVED_SECONDS = 60
_CONDITION_TTL_SECONDS = 3600


def identifier_key(resource_type: str, token: str) -> str:
    """The id of the claim of an identifier; `token` is its stored search value "system|value"."""
    return "identifier:" + hashlib.sha256(f"{resource_type}\n{token}".encode()).hexdigest()[:40]


def condition_key(resource_type: str, query: str) -> str:
    """The id of the reservation for a create on any other condition."""
    return "condition:" + hashlib.sha256(f"{resource_type}?{query}".encode()).hexdigest()[:40]


def identifier_tokens(item: Item) -> list[str]:
    """The identifiers under which a stored resource is looked up: those of people and of the shared types."""
    if item["type"] != "Patient" and item["type"] not in SHARED_TYPES:
        return []
    return [token for token in item.get("s", {}).get("identifier", []) if is_whole_token(token)]


def is_whole_token(token: str) -> bool:
    """Whether a stored token names a system (or says that there is none) and a value."""
    system_end = token.replace("\\|", "  ").find("|")
    return 0 <= system_end < len(token) - 1


def _id_key(reference: str) -> str:
    return f"id:{reference.replace('/', ':')}"  # a Cosmos item id takes no slash


class Claims:
    """Looks claims up by point read or one read of many, and makes them under their ETags."""

    def __init__(self, keys: ContainerProxy, now: Callable[[], datetime]) -> None:
        self._keys, self._now = keys, now

    async def partitions(self, references: Sequence[str]) -> dict[str, str]:
        """The partitions of client-assigned ids: "Type/id" → pk; what is not claimed is left out."""
        keys = {_id_key(reference): reference for reference in references}
        return {keys[key]: item["pk"] for key, item in (await self._read(list(keys))).items()}

    async def claim_ids(self, partitions: Mapping[str, str]) -> None:
        """Claim "Type/id" → pk, each if nobody has. Raises Conflict where another partition has it."""

        async def claim(reference: str, pk: str) -> None:
            key = _id_key(reference)
            item = None
            while item is None:
                try:
                    with cosmos_errors(key):
                        await self._keys.create_item({"id": key, "slot": slot_of(key), "pk": pk}, no_response=True)
                    return
                except errors.Conflict:  # also where the store only asks to try again: then there is none
                    item = await read_or_none(self._keys, key, slot_of(key))
            if item["pk"] != pk:
                raise errors.Conflict(f"the id of {reference} is taken")

        await in_parallel([partial(claim, reference, pk) for reference, pk in partitions.items()])

    async def refs(self, key_ids: Sequence[str]) -> dict[str, Item]:
        """The claims of identifiers and conditions that exist, by key id, all in one look-up."""
        return await self._read(key_ids)

    async def note(self, key: str, resource_id: str, tx: str | None) -> None:
        """Write down that a resource is about to have this identifier, beside what is there."""
        item: Item | None = None  # as nearly always: nothing has this identifier yet
        while True:
            try:
                await self.reserve(key, item, item["refs"] if item else [], resource_id, tx)
                return
            except (errors.Conflict, errors.VersionConflict):
                item = await read_or_none(self._keys, key, slot_of(key))  # beside what is there, then

    async def reserve(
        self, key: str, item: Item | None, kept: Sequence[Mapping[str, Any]], resource_id: str, tx: str | None
    ) -> None:
        """Add a ref to a claim as it was read, keeping `kept` of its refs. Raises Conflict where it has changed.

        A ref that the resource has already is written anew: it may be of an attempt that failed long ago, which keeps
        nobody from taking it off.
        """
        from azure.core import MatchConditions

        others = [other for other in kept if other["id"] != resource_id]
        ref = {"id": resource_id, "at": fhir_instant(self._now()), "tx": tx}
        new: Item = {"id": key, "slot": slot_of(key), "refs": [*others, ref]}
        if key.startswith("condition:"):
            new["ttl"] = _CONDITION_TTL_SECONDS
        with cosmos_errors(key):
            if item is None:
                await self._keys.create_item(new, no_response=True)
            else:
                await self._keys.replace_item(
                    key, new, etag=item["_etag"], match_condition=MatchConditions.IfNotModified, no_response=True
                )

    def is_recent(self, ref: Mapping[str, Any]) -> bool:
        """Whether a ref was written so short ago that its resource may still be on its way."""
        return bool(ref["at"] > fhir_instant(self._now() - timedelta(seconds=RESERVED_SECONDS)))

    async def _read(self, key_ids: Sequence[str]) -> dict[str, Item]:
        if len(key_ids) == 1:
            item = await read_or_none(self._keys, key_ids[0], slot_of(key_ids[0]))
            return {key_ids[0]: item} if item else {}
        found = await read_many(self._keys, [(key, slot_of(key)) for key in key_ids], "slot")
        return {key: item for (key, _), item in found.items()}
