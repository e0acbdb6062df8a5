"""Timer triggers: when a function runs, what it is told of its schedule, and what is kept for the next start."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.blob.aio import BlobClient, ContainerClient

from local.host.index import Function, TimerTrigger
from local.host.invocations import Invocations
from local.host.listeners import paused
from local.host.locks import ListenerLock
from local.host.schedule import Schedule, parse_schedule
from local.host.shapes import Message, ParameterBinding, TypedData
from local.host.worker import BY_HAND, Occasion

NEVER = datetime(1, 1, 1, tzinfo=UTC)
STORAGE_RETRY_SECONDS = 5
log = logging.getLogger("Host.Triggers.Timer")


@dataclass(frozen=True, slots=True)
class ScheduleStatus:
    """When a timer last ran (NEVER if it has not), when it is next due, and when this was written."""

    last: datetime
    next: datetime
    updated: datetime

    def to_json(self) -> dict[str, str]:
        """As the host stores it and hands it to the function."""
        return {"Last": _text(self.last), "Next": _text(self.next), "LastUpdated": _text(self.updated)}


def status_of(stored: bytes) -> ScheduleStatus:
    """The status that `to_json` gave."""
    fields = json.loads(stored)
    return ScheduleStatus(*(_instant(fields[name]) for name in ("Last", "Next", "LastUpdated")))


def status_at_start(stored: ScheduleStatus | None, schedule: Schedule, now: datetime) -> tuple[ScheduleStatus, bool]:
    """The status a starting host goes on with, and whether a run is past due (one run, however many were missed)."""
    if stored is None:
        return ScheduleStatus(NEVER, schedule.after(now), now), False
    expected = schedule.after(stored.updated if stored.last == NEVER else stored.last)
    if expected == stored.next:
        return stored, now > stored.next
    # The schedule was changed since: what the old one would have done is not made up for.
    if expected < now:
        expected = schedule.after(now)
    return ScheduleStatus(NEVER, expected, now), False


class StatusBlob:
    """Where the status of one timer is kept: `timers/{host id}/Host.Functions.{name}/status`."""

    def __init__(self, container: ContainerClient, host_id: str, function: str) -> None:
        self._blob: BlobClient = container.get_blob_client(f"timers/{host_id}/Host.Functions.{function}/status")

    async def read(self) -> ScheduleStatus | None:
        """The stored status, or None."""
        try:
            stored = await (await self._blob.download_blob()).readall()
        except ResourceNotFoundError:
            return None
        try:
            return status_of(stored)
        except (ValueError, KeyError, TypeError):
            log.warning("the status in %s cannot be read and is made anew", self._blob.blob_name)
            return None

    async def write(self, status: ScheduleStatus) -> None:
        """Store `status` in place of the former one."""
        await self._blob.upload_blob(json.dumps(status.to_json()).encode(), overwrite=True)


class TimerListener:
    """Runs one timer function when it is due, never twice at a time.

    storage  the host's container, for lock and status; None runs without either
    """

    def __init__(
        self,
        function: Function,
        invocations: Invocations,
        storage: ContainerClient | None,
        host_id: str,
        lock_period_seconds: float,
        lock_recovery_seconds: float,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        assert isinstance(function.trigger, TimerTrigger)
        self._function, self._trigger, self._invocations, self._now = function, function.trigger, invocations, now
        self.schedule = parse_schedule(self._trigger.schedule, f"function '{function.name}'")
        # Whether its status is to be kept, for which storage is needed.
        self.is_monitored = self._trigger.use_monitor and not self.schedule.is_within_minutes(now())
        self._status_blob = StatusBlob(storage, host_id, function.name) if storage and self.is_monitored else None
        self._lock = ListenerLock(storage, host_id, function.name, lock_period_seconds) if storage else None
        self._lock_recovery_seconds = lock_recovery_seconds
        self._status: ScheduleStatus | None = None
        self._wake = asyncio.Event()
        self._stopping = False
        self._starting = True  # until the first run of this host: `run_on_startup` means that one only

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        while not self._stopping:
            try:
                if self._lock is None:
                    await self._keep_time()
                elif await self._lock.acquire():
                    await self._keep_time_locked(self._lock)
                else:
                    log.debug("another host runs the timer '%s'", self._function.name)
                    await paused(self._wake, self._lock_recovery_seconds)
            except AzureError as fault:
                log.warning("the timer '%s' waits for storage: %s", self._function.name, fault)
                await paused(self._wake, STORAGE_RETRY_SECONDS)

    async def _keep_time_locked(self, lock: ListenerLock) -> None:
        renewal = asyncio.create_task(lock.keep())
        renewal.add_done_callback(lambda _: self._wake.set())
        try:
            await self._keep_time()
        finally:
            renewal.cancel()
            await asyncio.wait([renewal])
            await lock.release()
            if not self._stopping:
                self._wake.clear()

    async def _keep_time(self) -> None:
        now = self._now()
        past_due = False
        if self._status_blob:
            stored = await self._status_blob.read()
            self._status, past_due = status_at_start(stored, self.schedule, now)
            if self._status != stored:
                await self._status_blob.write(self._status)
        starting, self._starting = self._starting, False
        if past_due or (starting and self._trigger.run_on_startup):
            await self._fire(now, past_due=past_due)
        due = self.schedule.after(self._now())
        while not await self._waited_until(due):
            await self._fire(due, past_due=False)
            following, now = self.schedule.after(due), self._now()
            # Ran beyond its next occurrence: that one comes at once, further ones that were missed do not.
            due = following if following > now else now

    async def _waited_until(self, due: datetime) -> bool:
        """Wait for `due`; whether this ended because the timer is to stop or lost its lock."""
        while (left := (due - self._now()) / timedelta(seconds=1)) > 0:
            if await paused(self._wake, left):
                return True
        return self._wake.is_set()

    async def _fire(self, moment: datetime, *, past_due: bool) -> None:
        reason = f"Timer fired at {_text(self._now())}"
        await self._invoke(self._status, past_due, reason)
        if self._status_blob:
            # After the run, and whether it failed or not: if the host dies meanwhile, the next start runs it again.
            self._status = ScheduleStatus(moment, self.schedule.after(moment), self._now())
            await self._status_blob.write(self._status)

    async def run_now(self, _input: str) -> None:
        """A run that somebody asked for: its schedule and status are as before."""
        await self._invoke(self._status, False, BY_HAND)

    async def _invoke(self, status: ScheduleStatus | None, past_due: bool, reason: str) -> None:
        facts = {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": status.to_json() if status else None,
            "IsPastDue": past_due,
        }
        parameter = ParameterBinding(self._function.parameter, TypedData(json=json.dumps(facts)))
        occasion = Occasion(reason, {"TimerTrigger": TypedData(string=reason)})
        policy, attempt = self._function.retry, 0
        most = policy.max_retry_count if policy else 0
        failure: Message | None = None
        while True:
            retry = Message(retry_count=attempt, max_retry_count=most, exception=failure)
            result = await self._invocations.run(self._function, parameter, replace(occasion, retry=retry))
            if result.succeeded or not policy or (most >= 0 and attempt >= most):
                return
            if await paused(self._wake, retry_delay_seconds(policy, attempt)):
                return
            attempt += 1
            failure = Message(source="", stack_trace="", message=result.error)


def retry_delay_seconds(policy: Message, attempt: int) -> float:
    """How long to wait after try number `attempt` (from 0) failed."""
    if policy.retry_strategy == "fixed_delay":
        delay: timedelta = policy.delay_interval
    else:
        delay = min(policy.maximum_interval, max(policy.minimum_interval, timedelta(seconds=1)) * 2 ** min(attempt, 20))
    return delay.total_seconds()


def _text(moment: datetime) -> str:
    return moment.isoformat() if moment != NEVER else "0001-01-01T00:00:00"


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
