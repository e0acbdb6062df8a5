"""One host in all runs a timer: a lease on a blob that every instance asks for, renewed as long as it is held."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import platform

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob.aio import BlobClient, BlobLeaseClient, ContainerClient

CONTAINER = "azure-webjobs-hosts"
MACHINE, PROCESS = "machine", "process"
INTRODUCTION_SECONDS = 0.3
log = logging.getLogger("Host.Singleton")


class ListenerLock:
    """The lock of one timer function, at `locks/{host id}/Host.Functions.{name}.Listener`.

    period_seconds  how long a lease lasts that nobody renews: 15 to 60
    """

    def __init__(self, container: ContainerClient, host_id: str, function: str, period_seconds: float) -> None:
        self._container = container
        self._blob: BlobClient = container.get_blob_client(f"locks/{host_id}/Host.Functions.{function}.Listener")
        self._period_seconds = period_seconds
        self._lease: BlobLeaseClient | None = None

    async def acquire(self) -> bool:
        """Take the lock, or say that another host holds it."""
        try:
            lease = await self._take()
        except ResourceNotFoundError:
            await self._create()
            lease = await self._take()
        if lease is None and await self._free_if_holder_is_gone():
            lease = await self._take()
        self._lease = lease
        if lease is not None:
            holder = {MACHINE: platform.node() or "localhost", PROCESS: str(os.getpid())}
            await self._blob.set_blob_metadata(holder, lease=lease)
        return lease is not None

    async def keep(self) -> None:
        """Renew the lease until it is lost; then return."""
        assert self._lease is not None, "acquire first"
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        while True:
            await asyncio.sleep(self._period_seconds / 4)
            try:
                await self._lease.renew()
                renewed = loop.time()
            except AzureError as fault:
                taken = isinstance(fault, HttpResponseError) and fault.status_code in (404, 409, 412)
                if taken or loop.time() - renewed > self._period_seconds * 3 / 4:
                    log.warning("the lock %s is lost: %s", self._blob.blob_name, type(fault).__name__)
                    return

    async def release(self) -> None:
        """Give the lock back, so that the next host need not wait for the lease to end."""
        lease, self._lease = self._lease, None
        if lease is not None:
            try:
                await lease.release()
            except AzureError as fault:
                log.warning("the lock %s was not given back: %s", self._blob.blob_name, type(fault).__name__)

    async def _create(self) -> None:
        with contextlib.suppress(ResourceExistsError):
            await self._container.create_container()
        with contextlib.suppress(ResourceExistsError):
            await self._blob.upload_blob(b"", overwrite=False)

    async def _take(self) -> BlobLeaseClient | None:
        lease = BlobLeaseClient(self._blob)
        try:
            await lease.acquire(lease_duration=round(self._period_seconds))
        except HttpResponseError as fault:
            if fault.status_code == 409:
                return None
            raise
        return lease

    async def _free_if_holder_is_gone(self) -> bool:
        """End the lease if its holder was a process of this machine that is no more; whether it was ended.

        Azure waits until the lease runs out, since it cannot know; here a host that was killed is usually started
        again at once. A holder says who it is just after it took the lease: hence the pause and the condition.
        """
        found = await self._blob.get_blob_properties()
        holder = found.metadata or {}
        if holder.get(MACHINE) != (platform.node() or "localhost") or not holder.get(PROCESS, "").isdecimal():
            return False
        if _is_alive(int(holder[PROCESS])):
            return False
        await asyncio.sleep(INTRODUCTION_SECONDS)
        lease = BlobLeaseClient(self._blob)
        try:
            await lease.break_lease(0, etag=found.etag, match_condition=MatchConditions.IfNotModified)
        except HttpResponseError as fault:
            if fault.status_code in (409, 412):  # it ended by itself, or another host has it now
                return False
            raise
        return True


def _is_alive(process: int) -> bool:
    """Whether another process has this number; False only where that is certain."""
    if process == os.getpid():
        return False
    if os.name != "posix":  # elsewhere the signal 0 is not a question
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
