"""Turns changed Appointments into planned notifications, and takes back those that no longer hold.

Of each appointment that was ever to be reminded of, one item of the `outbox` container remembers what was planned:

    {id: "plan", slot: "Appointment:<id>", version, occurrences: [{id, slot, start}], ttl}

It is written before the notifications are, and keeps those that were taken back: so none is ever planned in two places,
and what a planner that died had begun is found again. `version` is the Appointment's; an older one changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from shared_code import errors
from shared_code.azure.cosmos import Item, cosmos_errors, in_parallel, read_or_none
from shared_code.azure.leases import utc_now
from shared_code.fhir import parse
from shared_code.notifications import Notification, Outbox, instant_text, slot_of
from shared_code.reminders.schedule import Occurrence, occurrences

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

PLAN = "plan"


@dataclass(frozen=True, slots=True)
class _Planned:
    """An occurrence that was planned once: where its notification is."""

    id: str
    slot: str
    start: str


class Planner:
    """Handles pages of the change feed of `records`; handling one again, or two at once, plans the same."""

    def __init__(
        self, container: ContainerProxy, outbox: Outbox, lead_hours: int, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._container, self._outbox, self._lead_hours, self._now = container, outbox, lead_hours, now

    async def handle(self, items: Sequence[Item]) -> None:
        """Plan for the Appointments among the changed items.

        The tombstone of a move says nothing: the Appointment's new home has a newer version of it.
        """
        changed = [item for item in items if item["type"] == "Appointment" and "movedTo" not in item]
        if changed:
            await self._outbox.open()
        await in_parallel([partial(self._plan, item) for item in changed], width=8)

    async def _plan(self, item: Item) -> None:
        wanted = {one.id: one for one in self._wanted(item)}
        if not wanted and item["version"] == 1:
            return  # as most of a loaded history: nothing was planned for it before
        remembered = await self._remember(item, list(wanted.values()))
        for planned in remembered:
            if planned.id in wanted:
                await self._outbox.plan(_notification(item, wanted[planned.id], planned.slot))
            else:
                await self._outbox.withdraw(planned.id, planned.slot, item["version"], "moved or cancelled")

    def _wanted(self, item: Item) -> list[Occurrence]:
        if item["deleted"]:
            return []
        return occurrences(parse(item["resource"]), self._lead_hours, self._now())

    async def _remember(self, item: Item, wanted: Sequence[Occurrence]) -> list[_Planned]:
        """Every occurrence that is still ahead, old and new, once that is stored; none where a newer version was."""
        while True:
            plan = await read_or_none(self._container, PLAN, item["id"])
            if plan is not None and plan["version"] > item["version"]:
                return []
            old = {one["id"]: _Planned(**one) for one in plan["occurrences"]} if plan else {}
            new = {one.id: _Planned(one.id, slot_of(one.due_at, one.id), instant_text(one.start)) for one in wanted}
            now = instant_text(self._now())
            every = [one for one in (new | old).values() if one.start > now]
            if not every or await self._write(item, plan, every):
                return every

    async def _write(self, item: Item, plan: Item | None, every: Sequence[_Planned]) -> bool:
        """Whether the plan could be stored over what it was made from."""
        from azure.core import MatchConditions

        told = {"version": item["version"], "occurrences": [asdict(one) for one in every]}
        if plan is not None and told.items() <= plan.items():
            return True
        new = {
            "id": PLAN,
            "slot": item["id"],
            **told,
            "ttl": self._outbox.lifetime_seconds(datetime.fromisoformat(max(one.start for one in every))),
        }
        try:
            with cosmos_errors(f"the plan of {item['id']}"):
                if plan is None:
                    await self._container.create_item(new, no_response=True)
                else:
                    condition: dict[str, Any] = {"match_condition": MatchConditions.IfNotModified}
                    await self._container.replace_item(PLAN, new, etag=plan["_etag"], no_response=True, **condition)
        except (errors.Conflict, errors.VersionConflict, errors.NotFound):
            return False
        return True


def _notification(item: Item, occurrence: Occurrence, slot: str) -> Notification:
    return Notification(
        id=occurrence.id,
        slot=slot,
        about=item["id"].replace(":", "/", 1),
        version=item["version"],
        person=occurrence.person,
        due_at=occurrence.due_at,
        until=occurrence.start,
    )
