"""Finds the resources that conditions name: all conditions of a bundle in one look-up, each hit checked at its home."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from shared_code import errors
from shared_code.azure.cosmos import Item, first_page, in_parallel, read_many
from shared_code.identity import Caller, may_see
from shared_code.records.claims import Claims
from shared_code.records.conditions import Condition
from shared_code.records.locating import item_id, partition_key, partition_of_id
from shared_code.records.queries import Filter, page_query
from shared_code.records.transactions import LOCK_WAIT_SECONDS, Contended, Transactions

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

_ENOUGH = 2  # one match is wanted; a second one is a fault
_PAGE = 100


class Lookups:
    """Resolves conditions, and reserves those under which something is about to be created."""

    def __init__(self, records: ContainerProxy, claims: Claims, transactions: Transactions) -> None:
        self._records, self._claims, self._transactions = records, claims, transactions

    async def find(self, caller: Caller, conditions: Sequence[Condition]) -> dict[Condition, list[str]]:
        """The ids that match each condition, of what the caller may see."""
        distinct = list(dict.fromkeys(conditions))
        indexed = [condition for condition in distinct if condition.indexed]
        refs = await self._claims.refs([condition.key for condition in indexed]) if indexed else {}
        candidates = {
            condition: [ref["id"] for ref in refs[condition.key]["refs"]] if condition.key in refs else []
            for condition in indexed
        }
        found = await self._indexed(candidates)
        rest = [condition for condition in distinct if not condition.indexed]
        for condition, items in zip(rest, await in_parallel([partial(self._search, c) for c in rest]), strict=True):
            found[condition] = items
        return {
            condition: [
                item["id"].split(":", 1)[1] for item in items if may_see(caller, condition.type, item["person"])
            ]
            for condition, items in found.items()
        }

    async def _indexed(self, candidates: Mapping[Condition, Sequence[str]]) -> dict[Condition, list[Item]]:
        keys = {
            (item_id(condition.type, own), partition_key(f"{condition.type}/{own}"))
            for condition, ids in candidates.items()
            for own in ids
        }
        raw = await read_many(self._records, sorted(keys), "pk") if keys else {}
        seen: dict[str, Item | None] = {}
        for (of, pk), item in raw.items():
            seen[of] = await self._transactions.visible(pk, of) if "tx" in item else item
        found: dict[Condition, list[Item]] = {}
        for condition, ids in candidates.items():
            items = [seen.get(item_id(condition.type, own)) for own in ids]
            found[condition] = [item for item in items if item and condition.matches(item)]
        return found

    async def _search(self, condition: Condition) -> list[Item]:
        """The first of what matches in a person's partition; pages full of what does not count are passed over."""
        search = Filter(condition.type, condition.criteria)
        found: list[Item] = []
        last: str | None = ""

        async def fetch() -> list[Item]:
            nonlocal last
            sql, parameters = page_query(search, ("current",), after, _PAGE)
            items, cut_short = await first_page(
                self._records, sql, parameters, _PAGE, "a condition", partition_key=condition.pk
            )
            last = items[-1]["id"] if cut_short or len(items) == _PAGE else None
            return items

        while last is not None and len(found) < _ENOUGH:
            after = last
            found += [item for item in await self._transactions.snapshot(fetch) if search.matches(item)]
        return found[:_ENOUGH]

    async def reserve(self, wanted: Sequence[tuple[Condition, str]], tx: str) -> None:
        """Reserve each condition for the resource id that a transaction is about to create.

        Always in the order of the claims' ids, so that two transactions never wait for each other. Raises Contended
        where something matches by now, Busy where another transaction holds the condition and does not end.
        """
        for condition, resource_id in sorted(wanted, key=lambda pair: pair[0].key):
            await self._reserve(condition, resource_id, tx)

    async def _reserve(self, condition: Condition, resource_id: str, tx: str) -> None:
        waited = 0.0
        while True:
            item = (await self._claims.refs([condition.key])).get(condition.key)
            refs = item["refs"] if item else []
            under_way = [ref for ref in refs if ref["tx"] != tx and await self._is_under_way(condition, ref)]
            # Looked for only now: what was under way a moment ago and is no longer has come into being, or never will.
            if await self._matching(condition, refs):
                raise Contended("what a condition names has come into being meanwhile; send it again")
            if not under_way:
                kept = [ref for ref in refs if ref["tx"] == tx or await self._exists(condition, ref)]
                try:
                    await self._claims.reserve(condition.key, item, kept, resource_id, tx)
                    return
                except (errors.Conflict, errors.VersionConflict):
                    continue  # another was quicker: look at what it reserved
            if waited >= LOCK_WAIT_SECONDS:
                raise errors.Busy("another request is creating what the same condition names; send it again", 2)
            await asyncio.sleep(pause := 0.02 + waited / 10)
            waited += pause

    async def _matching(self, condition: Condition, refs: Sequence[Mapping[str, Any]]) -> list[Item]:
        if not condition.indexed:
            return await self._search(condition)
        return (await self._indexed({condition: [ref["id"] for ref in refs]}))[condition]

    async def _is_under_way(self, condition: Condition, ref: Mapping[str, Any]) -> bool:
        """Whether the resource of a ref may yet come into being; a transaction past its deadline may not."""
        if ref["tx"]:
            return await self._transactions.is_pending(ref["tx"])
        return self._claims.is_recent(ref) and not await self._exists(condition, ref)

    async def _exists(self, condition: Condition, ref: Mapping[str, Any]) -> bool:
        own = ref["id"]
        pk = partition_of_id(own) or partition_key(f"{condition.type}/{own}")
        return await self._transactions.visible(pk, item_id(condition.type, own)) is not None
