"""The header of a transaction: one item that says pending, committed or aborted, and so decides for all its marks.

    {id: "0", tx, state, deadline, pages}           partition /tx
    {id: "1", tx, pks: ["…", …]}                    a page of the partitions that the transaction touches

Source: docs/decisions/0002-transactions.md
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from shared_code import errors
from shared_code.azure.cosmos import Item, Operation, cosmos_errors, read_or_none
from shared_code.records.items import fhir_instant

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

State = Literal["pending", "committed", "aborted"]

DEADLINE_SECONDS = 60
ABORTED_KEPT_SECONDS = 600  # a stager that is very late may still mark items; its header must be there to say no
PROMOTING_SECONDS = 5  # what the request that committed needs to promote by itself
PKS_PER_PAGE = 20_000  # about half a megabyte
_HEADER_ID = "0"
_SETTLE_ATTEMPTS = 5


class Aborted(errors.Conflict):
    """Another request aborted this transaction, whose deadline had passed; nothing of it counts."""


class Headers:
    """The items of the `transactions` container."""

    def __init__(self, container: ContainerProxy, now: Callable[[], datetime]) -> None:
        self._container, self._now = container, now

    async def begin(self, pks: Sequence[str]) -> Item:
        """A new pending header, with its pages, before anything is marked."""
        tx = secrets.token_hex(16)
        pages = [list(pks[start : start + PKS_PER_PAGE]) for start in range(0, len(pks), PKS_PER_PAGE)]
        header: Item = {
            "id": _HEADER_ID,
            "tx": tx,
            "state": "pending",
            "deadline": self._deadline(),
            "pages": len(pages),
        }
        page_items = [{"id": str(number), "tx": tx, "pks": page} for number, page in enumerate(pages, 1)]
        with cosmos_errors(f"transaction {tx}"):
            first: list[Operation] = [("create", (item,)) for item in (header, *page_items[:1])]
            results = await self._container.execute_item_batch(first, tx, no_response=True)
            for item in page_items[1:]:
                await self._container.create_item(item, no_response=True)
        return header | {"_etag": results[0]["eTag"]}

    async def read(self, tx: str) -> Item | None:
        """The header as it is now; None once the transaction has left no mark."""
        return await read_or_none(self._container, _HEADER_ID, tx)

    async def pks(self, header: Item) -> list[str]:
        """The partitions that the transaction touches."""
        pks: list[str] = []
        for number in range(1, header["pages"] + 1):
            page = await read_or_none(self._container, str(number), header["tx"])
            pks += page["pks"] if page else []
        return pks

    async def commit(self, header: Item) -> Item:
        """The header, committed: from here on the transaction counts. Raises Aborted where another was quicker."""
        header = await self._settle(header, "committed")
        if header["state"] == "aborted":
            raise Aborted(f"transaction {header['tx']} was aborted")
        return header

    async def abort(self, header: Item) -> Item:
        """The header, aborted, or as another has decided it meanwhile."""
        return await self._settle(header, "aborted")

    async def _settle(self, header: Item, state: State) -> Item:
        """The header in this state, if it is pending; else in the one that it was given first, which stays.

        An answer that does not come is asked for: what the store has decides. One that is gone was aborted long ago.
        """
        if header["state"] != "pending":
            return header
        for attempt in range(_SETTLE_ATTEMPTS):
            try:
                return await self._replace(header, state)
            except errors.PortalError:
                current = await self.read(header["tx"])
                if current is None:
                    return header | {"state": "aborted", "pages": 0}
                if current["state"] != "pending":
                    return current
                if attempt == _SETTLE_ATTEMPTS - 1:
                    raise
                header = current | {"deadline": header["deadline"]}
                await asyncio.sleep(0.01 * 3**attempt)
        raise AssertionError("the last attempt returns or raises")

    @asynccontextmanager
    async def kept(self, header: Item) -> AsyncIterator[None]:
        """Puts the deadline of a pending header off, in place, as long as its request lives and stages."""
        ended = asyncio.Event()

        async def keep() -> None:
            while not ended.is_set():
                try:
                    await asyncio.wait_for(ended.wait(), DEADLINE_SECONDS / 3)
                except TimeoutError:
                    try:
                        header.update(await self._settle({**header, "deadline": self._deadline()}, "pending"))
                    except errors.PortalError:
                        return  # whether it still counts, the commit finds out

        keeping = asyncio.create_task(keep())
        try:
            yield
        finally:
            ended.set()
            await keeping

    def _deadline(self) -> str:
        return fhir_instant(self._now() + timedelta(seconds=DEADLINE_SECONDS))

    async def _replace(self, header: Item, state: State) -> Item:
        from azure.core import MatchConditions

        new = {name: header[name] for name in ("id", "tx", "deadline", "pages")} | {"state": state}
        with cosmos_errors(f"transaction {header['tx']}"):
            answer = await self._container.replace_item(
                _HEADER_ID, new, etag=header["_etag"], match_condition=MatchConditions.IfNotModified
            )
        return new | {"_etag": answer["_etag"]}

    async def forget(self, header: Item) -> None:
        """Remove a header and its pages, once no mark is left. One that is gone already is fine."""
        operations: list[Operation] = [("delete", (str(number),)) for number in range(1, header["pages"] + 1)]
        try:
            with cosmos_errors(f"transaction {header['tx']}"):
                await self._container.execute_item_batch([("delete", (_HEADER_ID,)), *operations], header["tx"])
        except errors.NotFound:
            return

    def expired(self, header: Item, seconds: int = 0) -> bool:
        """Whether the deadline passed, by so many seconds."""
        return bool(header["deadline"] < fhir_instant(self._now() - timedelta(seconds=seconds)))

    async def unfinished(self) -> AsyncIterator[Item]:
        """The headers that nobody works on any more: committed a while ago, or past their deadline."""
        query = (
            "SELECT * FROM c WHERE (c.state = 'committed' AND c._ts < @recent)"
            " OR (c.state = 'pending' AND c.deadline < @now)"
            " OR (c.state = 'aborted' AND c.deadline < @kept)"
        )
        now = self._now()
        parameters: list[dict[str, object]] = [
            {"name": "@recent", "value": int(now.timestamp()) - PROMOTING_SECONDS},
            {"name": "@now", "value": fhir_instant(now)},
            {"name": "@kept", "value": fhir_instant(now - timedelta(seconds=ABORTED_KEPT_SECONDS))},
        ]
        with cosmos_errors("looking for unfinished transactions"):
            async for header in self._container.query_items(query, parameters=parameters):
                yield header
