"""Transactions over items: one batch where a batch holds it, else stage, commit, promote; and what a mark means.

Whoever meets a mark reads its header: committed counts, anything else does not. So a transaction is seen whole or not
at all, whatever dies when. Source: docs/decisions/0002-transactions.md
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

from shared_code import errors
from shared_code.azure.cosmos import (
    MAX_BATCH_BYTES,
    MAX_BATCH_OPERATIONS,
    Item,
    Operation,
    cosmos_errors,
    in_parallel,
    read_many,
    read_or_none,
)
from shared_code.events import log_event
from shared_code.records.headers import ABORTED_KEPT_SECONDS, Aborted, Headers
from shared_code.records.items import Change, marks, promoted, without_mark
from shared_code.records.staging import (
    abort_steps,
    batches,
    direct_operations,
    next_item_id,
    operations_bytes,
    promote_steps,
    stage_steps,
)

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

LOCK_WAIT_SECONDS = 5.0
ATTEMPTS = 4


class Contended(errors.Conflict):
    """What the changes were decided on has changed meanwhile; decide again."""


async def until_uncontended[T](attempt: Callable[[], Awaitable[T]]) -> T:
    """What `attempt` gives, which decides anew each time; a few times where others change what it decides on."""
    for number in range(ATTEMPTS - 1):
        try:
            return await attempt()
        except Contended:
            await asyncio.sleep(0.01 * 3**number)
    return await attempt()


class Transactions:
    """Writes changes to `records` atomically, and reads items through the marks of others' transactions."""

    def __init__(self, records: ContainerProxy, headers: ContainerProxy, now: Callable[[], datetime]) -> None:
        self._records, self._headers = records, Headers(headers, now)
        self._background: set[asyncio.Task[None]] = set()

    # Writing

    async def apply(
        self,
        changes: Sequence[Change],
        claim: Callable[[str | None], Awaitable[None]],
        *,
        staged: bool = False,
    ) -> None:
        """Make all changes or none. Raises Contended where a base is not what it was.

        claim    done before anything is written, with the id of the transaction, or None where one batch is enough
        staged   whether it is to have an id in any case, for others to ask whether it is still under way
        """
        operations = None if staged else _one_batch(changes)
        if operations:
            await claim(None)
            await self._write_at_once(changes[0].item["pk"], operations)
            return
        header = await self._headers.begin(sorted({change.item["pk"] for change in changes}))
        marked: dict[str, list[Item]] = {}
        failure: BaseException | None = None
        try:
            async with self._headers.kept(header):
                await claim(header["tx"])
                await self._stage(header["tx"], changes, marked)
            header = await self._headers.commit(header)
        except BaseException as fault:
            failure = fault
            header = await self._headers.abort(header)
        self._behind_the_answer(self._finish_own(header, marked))
        if isinstance(failure, Aborted):
            raise Contended("the transaction took too long and was aborted; send it again") from failure
        if failure and not (header["state"] == "committed" and isinstance(failure, errors.PortalError)):
            raise failure  # else only the answer to the commit was lost

    async def _stage(self, tx: str, changes: Sequence[Change], staged: dict[str, list[Item]]) -> None:
        ordered = sorted(changes, key=lambda change: (change.item["pk"], change.item["id"]))
        partitions = [(pk, list(group)) for pk, group in groupby(ordered, key=lambda change: change.item["pk"])]

        async def stage(pk: str, operations: list[Operation]) -> None:
            etags = await self._write(pk, operations)
            staged.setdefault(pk, []).extend(
                operation[1][-1] | {"_etag": etag} for operation, etag in zip(operations, etags, strict=True)
            )

        fresh: list[Callable[[], Awaitable[None]]] = []
        for pk, group in partitions:
            work = [partial(stage, pk, operations) for operations in batches(group, lambda one: stage_steps(one, tx))]
            if any(change.base for change in group):
                for one in work:  # in key order, one after the other: two transactions never wait for each other
                    await one()
            else:
                fresh += work
        await in_parallel(fresh)  # nobody else knows these items yet

    async def _write(self, pk: str, operations: list[Operation]) -> list[str]:
        """Write a batch; gives the new ETags, in order."""
        try:
            with cosmos_errors(f"partition {pk}"):
                if len(operations) == 1 and operations[0][0] == "create":
                    answer = await self._records.create_item(operations[0][1][0], no_response=True)
                    return [answer.get_response_headers().get("etag", "")]
                results = await self._records.execute_item_batch(operations, pk, no_response=True)
                return [result.get("eTag", "") for result in results]
        except (errors.Conflict, errors.VersionConflict, errors.NotFound) as fault:
            raise Contended("another request changed the same resource at the same moment; send it again") from fault

    async def _write_at_once(self, pk: str, operations: list[Operation]) -> None:
        """Write a batch that is a whole transaction; where the answer was lost, what is stored says that it was made.

        It may have been lost on the client's own second try, which then met what the first one had written.
        """
        try:
            await self._write(pk, operations)
        except (Contended, errors.Busy):
            wanted: Item = operations[0][1][-1]
            item = await read_or_none(self._records, wanted["id"], pk)
            if item is None or without_mark(item) != wanted:
                raise

    def _behind_the_answer(self, work: Any) -> None:
        async def quietly() -> None:
            try:
                await work
            except errors.PortalError as fault:  # the sweep, or whoever meets a mark, does it again
                log_event("transaction_finish", "delayed", reason=str(fault))

        task = asyncio.create_task(quietly())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def quiet(self) -> None:
        """Wait for what goes on behind answers."""
        while working := [task for task in self._background if not task.done()]:
            await asyncio.gather(*working)

    # Finishing

    async def _finish_own(self, header: Item, staged: dict[str, list[Item]]) -> None:
        """As `_finish`, from what this request staged itself: nothing is read again unless somebody else helped."""
        if header["state"] != "committed":
            return await self._finish(header)

        async def promote(pk: str, marked: list[Item]) -> None:
            try:
                await self._decide(pk, header, marked)
            except Contended:
                await self._finish_partition(pk, header)

        await in_parallel([partial(promote, pk, marked) for pk, marked in staged.items()])
        await self._headers.forget(header)

    async def _finish(self, header: Item) -> None:
        """Promote or abort every marked item of a decided transaction, then let its header go."""
        pks = await self._headers.pks(header)
        await in_parallel([partial(self._finish_partition, pk, header) for pk in pks])
        if header["state"] == "committed" or self._headers.expired(header, ABORTED_KEPT_SECONDS):
            await self._headers.forget(header)

    async def _finish_partition(self, pk: str, header: Item) -> None:
        while marked := await self._marked(pk, header["tx"]):
            try:
                await self._decide(pk, header, marked)
            except Contended:
                await asyncio.sleep(0.02)  # somebody else is finishing it too: look again at what is left

    async def _decide(self, pk: str, header: Item, marked: Sequence[Item]) -> None:
        """Promote or abort these marked items; one whose apart next version was not read with it waits for a turn."""
        apart = {item["of"]: item for item in marked if item["kind"] == "next"}
        if header["state"] != "committed":
            work = batches(marked, abort_steps)
        else:
            whole = [
                item
                for item in marked
                if item["kind"] != "next" and (item["kind"] == "staged" or "next" in item or item["id"] in apart)
            ]
            work = batches(whole, lambda item: promote_steps(item, apart.get(item["id"])))
        for operations in work:
            await self._write(pk, operations)

    async def _marked(self, pk: str, tx: str) -> list[Item]:
        query = "SELECT * FROM c WHERE c.tx = @tx"
        with cosmos_errors(f"partition {pk}"):
            pages = self._records.query_items(query, parameters=[{"name": "@tx", "value": tx}], partition_key=pk)
            return [item async for item in pages]

    async def sweep(self) -> int:
        """Finish what died: promote the committed, abort what is past its deadline. Gives how many it finished.

        One that cannot be finished keeps back no other; the first such failure is raised at the end.
        """
        count = 0
        failures: list[errors.PortalError] = []
        async for header in self._headers.unfinished():
            try:
                await self._finish(await self._headers.abort(header))
                count += 1
            except errors.PortalError as fault:
                failures.append(fault)
        if failures:
            raise failures[0]
        return count

    # Reading

    async def committed(self, transactions: Iterable[str]) -> set[str]:
        """Those of the transactions that count, by their headers; raises Finished where one has left meanwhile."""
        states: set[str] = set()
        for tx in transactions:
            header = await self._headers.read(tx)
            if header is None:
                raise Finished(tx)
            if header["state"] == "committed":
                states.add(tx)
        return states

    async def is_pending(self, tx: str) -> bool:
        """Whether a transaction may still commit; one whose deadline has passed is aborted and may not."""
        header = await self._headers.read(tx)
        if header is not None and header["state"] == "pending" and self._headers.expired(header):
            header = await self._headers.abort(header)
        return header is not None and header["state"] == "pending"

    async def visible(self, pk: str, item_id: str) -> Item | None:
        """The item as a reader sees it: free of marks, in the version that counts. None where there is none."""
        versions = await self.versions(pk, item_id)
        return versions[0] if versions else None

    async def versions(self, pk: str, item_id: str) -> list[Item]:
        """The current version as a reader sees it, then the one before it where that is not yet a past item."""
        gone: set[str] = set()
        while True:
            item = await read_or_none(self._records, item_id, pk)
            if item is None or "tx" not in item:
                return [item] if item else []
            try:
                committed = await self.committed({item["tx"]} - gone)
                seen = await self.seen(item, committed)
            except Finished as finished:
                gone.add(finished.tx)
                continue
            before = [without_mark(item)] if committed and item["kind"] == "current" else []
            return [seen, *before] if seen else []

    async def seen(self, item: Item, committed: set[str]) -> Item | None:
        """The version of an item that counts, given which transactions do."""
        if "tx" not in item:
            return item
        if item["tx"] not in committed:
            return None if item["kind"] == "staged" else without_mark(item)
        if item["kind"] == "staged" or "next" in item:
            return promoted(item)
        apart = await read_or_none(self._records, next_item_id(item["id"], item["tx"]), item["pk"])
        if apart is None:
            raise Finished(item["tx"])
        return promoted(item, apart["fields"])

    async def unmarked(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Item]:
        """The items of (item id, pk) that exist, free of marks, for changes to build on.

        A foreign mark is a lock: wait for it, help where its transaction is decided, abort it where its deadline has
        passed. Raises Busy where it holds on.
        """
        found = await read_many(self._records, keys, "pk") if len(keys) > 1 else {}
        if len(keys) == 1:
            item = await read_or_none(self._records, *keys[0])
            found = {keys[0]: item} if item else {}
        for key in [key for key, item in found.items() if "tx" in item]:
            item = await self._unlocked(*key)
            if item is None:
                del found[key]
            else:
                found[key] = item
        return found

    async def _unlocked(self, item_id: str, pk: str) -> Item | None:
        waited = 0.0
        gone: set[str] = set()
        while True:
            item = await read_or_none(self._records, item_id, pk)
            if item is None or "tx" not in item:
                return item
            header = await self._headers.read(item["tx"])
            if header is None and item["tx"] in gone:  # an aborted one marked it after its header went: it never counts
                await self._finish_partition(pk, {"tx": item["tx"], "state": "aborted"})
            elif header is None:
                gone.add(item["tx"])
            elif header["state"] != "pending":
                await self._finish_partition(pk, header)
            elif self._headers.expired(header):
                await self._headers.abort(header)
            elif waited >= LOCK_WAIT_SECONDS:
                raise errors.Busy("another transaction is changing the same resource; send it again", 2)
            else:
                await asyncio.sleep(pause := 0.02 + waited / 10)
                waited += pause

    async def snapshot(self, fetch: Callable[[], Awaitable[list[Item]]]) -> list[Item]:
        """What `fetch` gives, as readers see it: fetched once more whenever a transaction of it turns out to count.

        `fetch` reads matching items and every marked one of its range from one consistent state.
        """
        counting: set[str] = set()
        gone: set[str] = set()
        while True:
            items = await fetch()
            try:
                newly = await self.committed(marks(items) - counting - gone)
                if not newly:
                    seen = [await self.seen(item, counting) for item in items]
                    return [item for item in seen if item is not None]
                counting |= newly
            except Finished as finished:
                gone.add(finished.tx)


def _one_batch(changes: Sequence[Change]) -> list[Operation] | None:
    """The writes that make all changes at once, where one batch can hold them."""
    if len(changes) > MAX_BATCH_OPERATIONS or len({change.item["pk"] for change in changes}) > 1:
        return None
    operations = [operation for change in changes for operation in direct_operations(change)]
    if len(operations) == 1:  # one item, whose size was looked at when it was made
        return operations
    few = len(operations) <= MAX_BATCH_OPERATIONS and operations_bytes(operations) <= MAX_BATCH_BYTES
    return operations if few else None


class Finished(Exception):
    """The header of a transaction is gone: its marks are too, or never counted; read the item again."""

    def __init__(self, tx: str) -> None:
        self.tx = tx
        super().__init__(f"transaction {tx} has finished")
