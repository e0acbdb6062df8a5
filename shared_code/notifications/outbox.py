"""The items of the `outbox` container, and every way in which one changes; each change is under its ETag.

    {id, slot, about, version, person, until, dueAt, channel, state, notBefore, attempts, …, ttl}

id         the notification's, a UUID that says who is told what, when, how: the same for ever. Also the Operation-Id
slot       the minute in which it was first due, and a shard; an item never moves
about      "Appointment/<id>" that it speaks of, and `version` of that as it was last planned
until      from then on it is useless; also where its lifetime begins to count
state      planned → sending → sent | failed | undeliverable | expired | dropped; only dropped may become planned again
notBefore  when to look at it again; absent once nothing is left to do. A pointer to it is in the slot of that minute
sendingAt  when the one who is sending it began; with `attempts` it says whose turn this is
inDoubt    the service may have accepted it, though it did not say so
operationStatus, statusCalls   what the service said of the email, and how often it was asked
reason     why a state other than planned, sending and sent

    {id: "again:<id>", slot, state: "again", of, home, ttl}      a pointer: look at the item `of` in the slot `home`

In the container `leases`: {id: "outbox", minute, pausedUntil}: where the next sweep begins, and not before when.

Source: docs/reminders.md
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from shared_code import errors
from shared_code.azure.cosmos import Item, cosmos_errors, in_parallel, read_or_none
from shared_code.azure.leases import utc_now
from shared_code.notifications.slots import checkpoint_after, instant_text, is_passed, minute_of, slot_of, slots_of

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

CHECKPOINT = "outbox"
KEPT_DAYS = 30
_MAX_TTL = 2_147_483_647
_UNDECIDED = frozenset({"planned", "sending"})


@dataclass(frozen=True, slots=True)
class Notification:
    """Something that a person is to be told once.

    id, about, version   as in the item
    slot    where it is kept: the minute in which it was due when first planned, whatever `due_at` comes to later
    """

    id: str
    slot: str
    about: str
    version: int
    person: str
    due_at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where the next sweep begins."""

    minute: str
    paused_until: datetime | None


class Outbox:
    """Notifications that are due, planned by one side and sent by the other."""

    def __init__(
        self, container: ContainerProxy, leases: ContainerProxy, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._container, self._leases, self._now = container, leases, now

    # Planning

    async def open(self) -> None:
        """Make sure that a first sweep begins no later than now; wanted before the first notification is planned."""
        if await read_or_none(self._leases, CHECKPOINT, CHECKPOINT) is None:
            try:
                with cosmos_errors(CHECKPOINT):
                    await self._leases.create_item({"id": CHECKPOINT, "minute": checkpoint_after(self._now())})
            except errors.Conflict:
                return  # another has opened it

    async def plan(self, notification: Notification) -> None:
        """Make sure that it is sent when due, unless that is decided already; twice planned is once planned."""
        try:
            with cosmos_errors(notification.id):
                await self._container.create_item(self._planned(notification), no_response=True)
            undecided = True
        except errors.Conflict:
            undecided = await self._plan_again(notification)
        now = self._now()
        own_minute = slot_of(notification.due_at, notification.id) == notification.slot
        if undecided and (not own_minute or is_passed(notification.slot, now)):
            await self.look_again(notification.id, notification.slot, max(notification.due_at, now), notification.until)

    async def _plan_again(self, notification: Notification) -> bool:
        """An item that is there already: a dropped one is planned again, an undecided one told of the newer version.

        Its sender may be about to drop it for what an older version says; the new ETag makes it look again.
        Gives whether there is something left to do for it.
        """
        while (item := await self.read(notification.id, notification.slot)) is not None:
            if item["version"] > notification.version:
                return False
            if item["state"] == "dropped":
                changed = self._planned(notification) | {"inDoubt": item["attempts"] > 0}
            elif item["state"] not in _UNDECIDED:
                return False
            elif item["version"] == notification.version:
                return True
            else:
                changed = item | {"version": notification.version}
            if await self.replace(item, changed) is not None:
                return True
        raise errors.Conflict(f"{notification.id} was there and is gone")

    async def withdraw(self, notification_id: str, slot: str, version: int, reason: str) -> None:
        """Drop it, for what `version` says, where nobody has begun to send it and no newer version wants it.

        What somebody has begun to send, or may have sent, is the sender's: it finds out, and looks at what it speaks
        of once more before sending.
        """
        while (item := await self.read(notification_id, slot)) is not None:
            if item["state"] != "planned" or item.get("inDoubt") or item["version"] > version:
                return
            if await self.replace(item, ended(item, "dropped", reason)) is not None:
                return

    def _planned(self, notification: Notification) -> Item:
        return {
            "id": notification.id,
            "slot": notification.slot,
            "about": notification.about,
            "version": notification.version,
            "person": notification.person,
            "until": instant_text(notification.until),
            "dueAt": instant_text(notification.due_at),
            "channel": "email",
            "state": "planned",
            "notBefore": instant_text(notification.due_at),
            "attempts": 0,
            "ttl": self.lifetime_seconds(notification.until),
        }

    # Reading

    async def read(self, notification_id: str, slot: str) -> Item | None:
        """The item of a notification."""
        return await read_or_none(self._container, notification_id, slot)

    async def due(self, minute: str) -> list[Item]:
        """What is to be looked at now among what the minute's slots hold or point to."""
        found = await in_parallel([partial(self._undecided, slot) for slot in slots_of(minute)])
        items = {item["id"]: item for slot in found for item in slot if item["state"] != "again"}
        pointers = [item for slot in found for item in slot if item["state"] == "again" and item["of"] not in items]
        homes = await in_parallel([partial(self.read, pointer["of"], pointer["home"]) for pointer in pointers])
        now = instant_text(self._now())
        return [item for item in [*items.values(), *homes] if item and item.get("notBefore", "~") <= now]

    async def _undecided(self, slot: str) -> list[Item]:
        query = "SELECT * FROM c WHERE c.state IN ('planned', 'sending', 'sent', 'again')"
        with cosmos_errors(f"slot {slot}"):
            return [item async for item in self._container.query_items(query, partition_key=slot)]

    # Changing

    async def look_again(self, notification_id: str, home: str, moment: datetime, until: datetime) -> None:
        """Put a pointer to the item into the slot of `moment`, or of now where that has passed while it was written."""
        while True:
            slot = slot_of(moment, notification_id)
            pointer = {
                "id": f"again:{notification_id}",
                "slot": slot,
                "state": "again",
                "of": notification_id,
                "home": home,
                "ttl": self.lifetime_seconds(until),
            }
            with cosmos_errors(notification_id):
                await self._container.upsert_item(pointer, no_response=True)
            if not is_passed(slot, self._now()):
                return
            moment = self._now()

    async def postpone(self, item: Item, changed: Item, moment: datetime) -> Item | None:
        """Change the item so that it is looked at again at `moment`; None where another changed it meanwhile."""
        await self.look_again(item["id"], item["slot"], moment, datetime.fromisoformat(item["until"]))
        return await self.replace(item, changed | {"notBefore": instant_text(moment)})

    async def replace(self, item: Item, changed: Item) -> Item | None:
        """The item, changed, with its new ETag; None where it is no longer as `item`."""
        from azure.core import MatchConditions

        body = {name: value for name, value in changed.items() if not name.startswith("_")}
        body["ttl"] = self.lifetime_seconds(datetime.fromisoformat(item["until"]))
        try:
            with cosmos_errors(item["id"]):
                answer = await self._container.replace_item(
                    item["id"], body, etag=item["_etag"], match_condition=MatchConditions.IfNotModified
                )
        except (errors.VersionConflict, errors.NotFound):
            return None
        return dict(answer)

    def lifetime_seconds(self, until: datetime) -> int:
        """The `ttl` of what is useless from `until` on; kept a while longer for those who ask what became of it."""
        seconds = (until - self._now()).total_seconds() + KEPT_DAYS * 86_400
        return max(86_400, min(int(seconds), _MAX_TTL))

    # The checkpoint

    async def checkpoint(self) -> Checkpoint:
        """Where a sweep begins."""
        item = await read_or_none(self._leases, CHECKPOINT, CHECKPOINT)
        if item is None:
            return Checkpoint(minute_of(self._now()), None)
        paused = item.get("pausedUntil")
        return Checkpoint(item["minute"], datetime.fromisoformat(paused) if paused else None)

    async def move_checkpoint(self, minute: str, paused_until: datetime | None) -> None:
        """Let the next sweep begin there; of two sweeps at once the later minute and the longer pause hold."""
        from azure.core import MatchConditions

        pause = instant_text(paused_until) if paused_until else ""
        while True:
            item = await read_or_none(self._leases, CHECKPOINT, CHECKPOINT)
            old_minute, old_pause = (item["minute"], item.get("pausedUntil", "")) if item else ("", "")
            new: Item = {"id": CHECKPOINT, "minute": max(minute, old_minute), "pausedUntil": max(pause, old_pause)}
            if item and (new["minute"], new["pausedUntil"]) == (old_minute, old_pause):
                return
            try:
                with cosmos_errors(CHECKPOINT):
                    if item is None:
                        await self._leases.create_item(new)
                    else:
                        condition: dict[str, Any] = {"match_condition": MatchConditions.IfNotModified}
                        await self._leases.replace_item(CHECKPOINT, new, etag=item["_etag"], **condition)
                return
            except (errors.Conflict, errors.VersionConflict):
                continue  # another sweep moved it: look at where it is now


def ended(item: Item, state: str, reason: str | None = None) -> Item:
    """The item with nothing left to do for it."""
    rest = {name: value for name, value in item.items() if name not in ("notBefore", "inDoubt", "reason")}
    return rest | {"state": state} | ({"reason": reason} if reason else {})
