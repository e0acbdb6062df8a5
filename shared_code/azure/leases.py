"""Locks that let one runner at a time do a piece of work; they pass to another when their holder dies."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared_code import errors
from shared_code.azure.cosmos import cosmos_errors, read_or_none
from shared_code.events import log_event

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

LEASE_SECONDS = 10.0


def utc_now() -> datetime:
    """The time of this machine."""
    return datetime.now(UTC)


class Lease:
    """A lock while it is held: an item {id: name, holder, until} of the `leases` container.

    A lease says who works, not who may write: its holder can be slow, lose it and not know for a moment. What the work
    writes is guarded by ETags of its own.
    """

    def __init__(
        self, container: ContainerProxy, name: str, seconds: float, now: Callable[[], datetime], etag: str | None = None
    ) -> None:
        self._container, self._name, self._seconds, self._now = container, name, seconds, now
        self._holder = secrets.token_hex(8)
        self._etag = etag
        self._until = now()

    @property
    def held(self) -> bool:
        """Whether it is still ours, as far as this machine's clock can tell."""
        return self._etag is not None and self._now() < self._until

    async def take(self) -> bool:
        """Take the lock where it is free or its holder has let it expire; False where another holds it."""
        current = await read_or_none(self._container, self._name, self._name)
        if current is not None and datetime.fromisoformat(current["until"]) > self._now():
            return False
        try:
            await self._write(current["_etag"] if current else None)
        except (errors.Conflict, errors.VersionConflict, errors.NotFound):
            return False  # somebody else was quicker
        return True

    async def renew(self) -> bool:
        """Hold it for another full time; False where another has taken it."""
        while self._etag is not None:
            try:
                await self._write(self._etag)
                return True
            except (errors.VersionConflict, errors.NotFound):
                self._etag = await self._own_etag()
        return False

    async def _own_etag(self) -> str | None:
        """The ETag of the item where it is ours after all: a write of ours whose answer did not arrive made it."""
        current = await read_or_none(self._container, self._name, self._name)
        return str(current["_etag"]) if current and current["holder"] == self._holder else None

    async def renew_until_cancelled(self) -> None:
        """Renew three times within its length while it is ours; a store that does not answer is asked again."""
        held = True
        while held:
            await asyncio.sleep(self._seconds / 3)
            try:
                held = await self.renew()
            except (errors.Busy, errors.Throttled) as fault:
                log_event("lease_renew", "delayed", lease=self._name, reason=str(fault))
        log_event("lease_renew", "delayed", lease=self._name, reason="another runner has it")

    async def release(self) -> None:
        """Let it go, unless another has it by now. A release that fails leaves it to expire."""
        from azure.core import MatchConditions

        if self._etag is None:
            return
        condition: dict[str, Any] = {"etag": self._etag, "match_condition": MatchConditions.IfNotModified}
        self._etag = None
        try:
            with cosmos_errors(f"lease {self._name}"):
                await self._container.delete_item(self._name, partition_key=self._name, **condition)
        except errors.PortalError as fault:
            log_event("lease_release", "delayed", lease=self._name, reason=str(fault))

    async def _write(self, etag: str | None) -> None:
        from azure.core import MatchConditions

        until = self._now() + timedelta(seconds=self._seconds)
        item = {"id": self._name, "holder": self._holder, "until": until.isoformat()}
        with cosmos_errors(f"lease {self._name}"):
            if etag is None:
                answer = await self._container.create_item(item)
            else:
                answer = await self._container.replace_item(
                    self._name, item, etag=etag, match_condition=MatchConditions.IfNotModified
                )
        self._etag, self._until = answer["_etag"], until


@asynccontextmanager
async def lease(
    container: ContainerProxy, name: str, seconds: float = LEASE_SECONDS, now: Callable[[], datetime] = utc_now
) -> AsyncIterator[Lease | None]:
    """The lock `name` for the length of the block, renewed meanwhile; None where another holds it.

    seconds   how long it stays taken once its holder has died
    """
    taken = Lease(container, name, seconds, now)
    if not await taken.take():
        yield None
        return
    renewal = asyncio.create_task(taken.renew_until_cancelled())
    try:
        yield taken
    finally:
        renewal.cancel()
        with suppress(asyncio.CancelledError):
            await renewal
        await taken.release()
