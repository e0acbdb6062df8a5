"""A sweep of the outbox: what is due is sent once, whoever else sweeps at the same time and wherever one of them dies.

An item is claimed under its ETag before anything is sent, and a pointer to it is laid before that, so that it is looked
at again if its sender dies. Whoever finds it still `sending` then asks the service for the operation, and sends only
where the service knows of none.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from shared_code import errors
from shared_code.azure.cosmos import Item
from shared_code.azure.leases import utc_now
from shared_code.events import log_event
from shared_code.notifications.email import ENDED, EmailChannel, Message, Operation, PutOff, Refused
from shared_code.notifications.outbox import Outbox, ended
from shared_code.notifications.retries import (
    MAX_ATTEMPTS,
    MAX_STATUS_CALLS,
    SEND_SECONDS,
    STUCK_SECONDS,
    pause_after,
    wait_after,
)
from shared_code.notifications.slots import checkpoint_after, instant_text, minutes

RUN_SECONDS = 240.0
WIDTH = 8


@dataclass(frozen=True, slots=True)
class Unsent:
    """Why there is nothing to send any more: what it speaks of has changed, or nobody can be reached."""

    state: Literal["dropped", "undeliverable"]
    reason: str


type Compose = Callable[[Item, datetime], Awaitable[Message | Unsent]]


class Sweep:
    """One run of the sender.

    compose   makes the message of an item, from what the records say at that moment
    """

    def __init__(
        self,
        outbox: Outbox,
        channel: EmailChannel,
        compose: Compose,
        now: Callable[[], datetime] = utc_now,
        run_seconds: float = RUN_SECONDS,
    ) -> None:
        self._outbox, self._channel, self._compose, self._now = outbox, channel, compose, now
        self._ends = time.monotonic() + run_seconds
        self._paused_until: datetime | None = None
        self._outcomes: Counter[str] = Counter()
        self._places = asyncio.Semaphore(WIDTH)

    async def run(self) -> Counter[str]:
        """Look at everything that is due; gives how many ended up in which state.

        What one item raises does not keep the others waiting; it is raised at the end, and the item's minute stays to
        be read again.
        """
        started = self._now()
        checkpoint = await self._outbox.checkpoint()
        if checkpoint.paused_until and checkpoint.paused_until > started:
            return self._outcomes
        unfinished: str | None = None
        faults: list[Exception] = []
        for minute in minutes(checkpoint.minute, started):
            new_faults = [] if self._stopped else await self._look_at_all(await self._outbox.due(minute))
            faults += new_faults
            if new_faults or self._stopped:
                unfinished = unfinished or minute
            if self._stopped:
                break
        reached = checkpoint_after(started)
        await self._outbox.move_checkpoint(min(unfinished or reached, reached), self._paused_until)
        if faults:
            raise ExceptionGroup("some notifications could not be looked at", faults)
        return self._outcomes

    @property
    def _stopped(self) -> bool:
        """Whether the rest is left to a later sweep: the service wants a pause, or this one has taken long enough."""
        return self._paused_until is not None or time.monotonic() > self._ends

    async def _look_at_all(self, items: Sequence[Item]) -> list[Exception]:
        results = await asyncio.gather(*(self._look_at(item) for item in items), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, Exception):
                raise result
        return [result for result in results if isinstance(result, Exception)]

    async def _look_at(self, item: Item) -> None:
        async with self._places:
            if self._stopped:
                return
            state = await (self._follow(item) if item["state"] == "sent" else self._take_turn(item))
        if state:
            self._outcomes[state] += 1
            log_event("notification_send", "success", notification=item["id"], state=state)

    # Sending

    async def _take_turn(self, item: Item) -> str | None:
        """Claim the item, then do what is right for it; None where another has claimed it."""
        now = self._now()
        in_doubt = item["state"] == "sending" or item.get("inDoubt", False)
        claim = {"state": "sending", "sendingAt": instant_text(now), "attempts": item["attempts"] + 1}
        turn = await self._outbox.postpone(
            item, item | claim | {"inDoubt": in_doubt}, now + timedelta(seconds=STUCK_SECONDS)
        )
        if turn is None:
            return None
        try:
            known = await self._channel.operation(item["id"]) if in_doubt else None
        except errors.Busy as busy:
            return await self._put_off(turn, PutOff("status unknown", busy.retry_after_seconds))
        if known is not None:
            return await self._settle(turn, _accepted(turn, known))
        if datetime.fromisoformat(turn["until"]) <= now:
            return await self._settle(turn, ended(turn, "expired"))
        if turn["attempts"] > MAX_ATTEMPTS:
            return await self._settle(turn, ended(turn, "failed", f"gave up; last: {item.get('reason', 'no answer')}"))
        return await self._send(turn)

    async def _send(self, turn: Item) -> str | None:
        message = await self._compose(turn, self._now())
        if isinstance(message, Unsent):
            return await self._settle(turn, ended(turn, message.state, message.reason))
        since = self._now() - datetime.fromisoformat(turn["sendingAt"])
        if since.total_seconds() > STUCK_SECONDS - 2 * SEND_SECONDS:
            return None  # too late to be sure that nobody takes the next turn meanwhile; somebody will
        answer = await self._channel.send(message, turn["id"])
        if isinstance(answer, Refused):
            log_event("notification_send", "failure", notification=turn["id"], reason=answer.reason)
            return await self._settle(turn, ended(turn, "failed", answer.reason))
        if isinstance(answer, PutOff):
            if answer.throttled:
                self._paused_until = self._now() + pause_after(answer.retry_after_seconds)
            return await self._put_off(turn, answer)
        return await self._settle(turn, _accepted(turn, answer))

    async def _put_off(self, turn: Item, why: PutOff) -> str | None:
        log_event("notification_send", "delayed", notification=turn["id"], reason=why.reason)
        moment = self._now() + wait_after(turn["attempts"], why.retry_after_seconds)
        await self._outbox.look_again(turn["id"], turn["slot"], moment, datetime.fromisoformat(turn["until"]))
        later = {"state": "planned", "notBefore": instant_text(moment), "inDoubt": why.in_doubt, "reason": why.reason}
        return await self._settle(turn, turn | later)

    async def _settle(self, turn: Item, changed: Item) -> str | None:
        """Store the outcome of a turn; None where the turn was lost.

        Where only the version was raised meanwhile, the outcome holds but for a drop: the newer version may want it.
        """
        while await self._outbox.replace(turn, changed) is None:
            current = await self._outbox.read(turn["id"], turn["slot"])
            if current is None or any(current.get(name) != turn[name] for name in ("state", "sendingAt", "attempts")):
                return None
            raised = {"version": current["version"]}
            if changed["state"] == "dropped":
                changed = turn | {"state": "planned"}
            turn, changed = current, changed | raised
        return str(changed["state"])

    # After sending

    async def _follow(self, item: Item) -> str | None:
        """Ask what became of an accepted email."""
        try:
            operation = await self._channel.operation(item["id"])
            wait = None
        except errors.Busy as busy:
            operation, wait = None, busy.retry_after_seconds
        calls = item["statusCalls"] + 1
        asked = item | {"statusCalls": calls}
        if operation is not None and operation.status in ENDED:
            changed = _accepted(asked, operation)
        elif calls >= MAX_STATUS_CALLS:
            changed = ended(asked, "sent", "the service did not say what became of it")
        else:
            await self._outbox.postpone(item, asked, self._now() + wait_after(calls, wait))
            return None
        stored = await self._outbox.replace(item, changed)
        return f"{changed['state']}, {changed['operationStatus']}" if stored else None


def _accepted(item: Item, operation: Operation) -> Item:
    """The item once the service has the email: to be followed until its operation has ended."""
    told = item | {"operationStatus": operation.status}
    if operation.status == "Succeeded":
        return ended(told, "sent")
    if operation.status in ENDED:
        return ended(told, "failed", operation.fault or operation.status)
    rest = {name: value for name, value in told.items() if name not in ("inDoubt", "reason")}
    return rest | {"state": "sent", "statusCalls": item.get("statusCalls", 0)}
