"""Follows the change feed of a container: every change is handled at least once, from where the last run stopped.

Items of the `leases` container:
    {id: "feed:<consumer>", ranges: [feed range, …], asOf}    the ranges as they were at the first start
    {id: "feed:<consumer>:<number>", token}                   how far the range of that number was handled

A range that splits later stays one here: the SDK's token goes on in all parts of it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from shared_code import errors
from shared_code.azure.cosmos import Item, cosmos_errors, in_parallel, read_or_none
from shared_code.azure.leases import utc_now
from shared_code.events import log_event

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

type Handle = Callable[[list[Item]], Awaitable[None]]

PAGE_ITEMS = 200
RUN_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Followed:
    """What a run did: how many items it handed on, and up to when nothing is left (None: it ran out of time)."""

    items: int
    as_of: datetime | None


async def follow(
    container: ContainerProxy,
    leases: ContainerProxy,
    consumer: str,
    handle: Handle,
    *,
    page_items: int = PAGE_ITEMS,
    seconds: float = RUN_SECONDS,
    now: Callable[[], datetime] = utc_now,
) -> Followed:
    """Hand on what changed since the last run of `consumer`, in pages, until nothing is new or `seconds` have passed.

    A run makes at least one page of progress in each feed range.

    handle   gets the current items among the changed ones, also deletions, of which one is what is left where a
             resource was at home before it moved; those that a transaction has marked come
             when it is decided. It may get a page again, and pages of different feed ranges at the same time. What it
             raises ends its range; the other ranges go on, then `follow` raises it.
    """
    feed = _Feed(container, leases, consumer, handle, page_items, time.monotonic() + seconds, now)
    return await feed.run()


async def followed_until(leases: ContainerProxy, consumer: str) -> datetime | None:
    """Up to when every change has been handled by `consumer`; None before its first complete run."""
    plan = await read_or_none(leases, f"feed:{consumer}", f"feed:{consumer}")
    return datetime.fromisoformat(plan["asOf"]) if plan and plan.get("asOf") else None


@dataclass(slots=True)
class _Feed:
    container: ContainerProxy
    leases: ContainerProxy
    consumer: str
    handle: Handle
    page_items: int
    deadline: float
    now: Callable[[], datetime]

    async def run(self) -> Followed:
        plan = await self._plan()
        ranges = [partial(self._range, number, feed_range) for number, feed_range in enumerate(plan["ranges"])]
        done = await in_parallel(ranges)
        moments = [one.as_of for one in done if one.as_of is not None]
        as_of = min(moments) if len(moments) == len(done) else None
        if as_of is not None:
            await self._save({**plan, "asOf": as_of.isoformat()})
        return Followed(sum(one.items for one in done), as_of)

    async def _plan(self) -> Item:
        plan_id = f"feed:{self.consumer}"
        plan = await read_or_none(self.leases, plan_id, plan_id)
        if plan is not None:
            return plan
        with cosmos_errors(plan_id):
            ranges = [feed_range async for feed_range in self.container.read_feed_ranges()]
        return await self._save({"id": plan_id, "ranges": ranges}) or await self._plan()

    async def _range(self, number: int, feed_range: dict[str, Any]) -> Followed:
        checkpoint_id = f"feed:{self.consumer}:{number}"
        checkpoint = await read_or_none(self.leases, checkpoint_id, checkpoint_id) or {"id": checkpoint_id}
        pages = self._pages(checkpoint.get("token"), feed_range)
        count = 0
        while True:
            asked = self.now()
            with cosmos_errors(checkpoint_id):
                page = await anext(pages, None)
                items = [item async for item in page] if page is not None else []
            if page is None:
                return Followed(count, asked)
            wanted = [_told(item) for item in items if _is_wanted(item) and "tx" not in item]
            if wanted:
                await self.handle(wanted)
                count += len(wanted)
            token = cast(Any, pages).continuation_token  # the page iterator's own; its declared type does not name it
            saved = await self._save({**checkpoint, "token": token})
            if saved is None or time.monotonic() >= self.deadline:
                return Followed(count, None)
            checkpoint = saved

    def _pages(self, token: str | None, feed_range: dict[str, Any]) -> AsyncIterator[AsyncIterator[Item]]:
        start: dict[str, Any] = (
            {"continuation": token} if token else {"feed_range": feed_range, "start_time": "Beginning"}
        )
        return self.container.query_items_change_feed(**start, max_item_count=self.page_items).by_page()

    async def _save(self, item: Item) -> Item | None:
        """The item as stored; None where another runner has stored it meanwhile, who then knows how far it is."""
        from azure.core import MatchConditions

        etag = item.get("_etag")
        body = {name: value for name, value in item.items() if not name.startswith("_")}
        try:
            with cosmos_errors(item["id"]):
                if etag is None:
                    return await self.leases.create_item(body)
                return await self.leases.replace_item(
                    item["id"], body, etag=etag, match_condition=MatchConditions.IfNotModified
                )
        except (errors.Conflict, errors.VersionConflict):
            log_event("change_feed_follow", "delayed", lease=item["id"], reason="another runner follows it too")
            return None


def _is_wanted(item: Item) -> bool:
    return item.get("kind") == "current" or (item.get("kind") == "link" and "movedTo" in item)


def _told(item: Item) -> Item:
    """A link to a resource that was at home here before is the end of what was here."""
    return item if item["kind"] == "current" else {**item, "kind": "current", "deleted": True}
