"""The record of a file's load: what is done, what it made, what failed; one runner at a time.

    {id, container, file, etag, status, counts, done, errors, errorCount, runner, leaseUntil, createdAt, …}

status   queued (not begun), running, completed (errors of single lines or entries may be listed), failed (nothing or
         not all of it could be loaded; `errors` says why)
done     lines of an NDJSON file that are finished, a checkpoint to go on from; entries of a bundle
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared_code import errors
from shared_code.azure.cosmos import Item, cosmos_errors, read_or_none
from shared_code.records import fhir_instant

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

LEASE_SECONDS = 60
MAX_LISTED_ERRORS = 500
KEPT_SECONDS = 90 * 24 * 3600
FINISHED = ("completed", "failed")
GIVEN_UP = timedelta(minutes=10)  # after a lease has run out, by when its message has come as often as it may
_SHOWN = ("id", "container", "file", "status", "counts", "done", "errors", "errorCount", "createdAt", "finishedAt")


def job_id(container: str, name: str, etag: str) -> str:
    """The id of the load of this content of a file: the same event twice is the same job."""
    return hashlib.sha256(f"{container}\n{name}\n{etag.strip(chr(34))}".encode()).hexdigest()[:40]


class Job:
    """A load under way: counts in memory, saved under the lease of its runner."""

    def __init__(self, jobs: Jobs, item: Item) -> None:
        self._jobs, self.item = jobs, item

    @property
    def id(self) -> str:
        return str(self.item["id"])

    @property
    def done(self) -> int:
        """Lines that a former run finished."""
        return int(self.item["done"])

    def count(self, resource_type: str) -> None:
        """One resource of this type is stored."""
        counts = self.item["counts"]
        counts[resource_type] = counts.get(resource_type, 0) + 1

    def fail(self, where: dict[str, int], error: errors.PortalError) -> None:
        """Note what is wrong with a line or entry; the first ones are listed, the rest counted."""
        self.item["errorCount"] += 1
        if len(self.item["errors"]) < MAX_LISTED_ERRORS:
            texts = "; ".join(f"{issue.path}: {issue.text}" if issue.path else issue.text for issue in error.issues[:5])
            self.item["errors"].append({**where, "text": texts[:1000]})

    async def save(self, done: int) -> None:
        """Checkpoint, and hold the lease a while longer. Raises Conflict where another runner took over."""
        self.item["done"] = done
        await self._jobs.replace(self, running=True)

    async def finish(self, status: str) -> None:
        """The end of the load: completed or failed."""
        self.item["status"] = status
        await self._jobs.replace(self, running=False)


class Jobs:
    """The items of the `jobs` container."""

    def __init__(self, container: ContainerProxy, now: Callable[[], datetime]) -> None:
        self._container, self._now = container, now

    async def begin(self, container: str, name: str, etag: str, runner: str) -> Job | None:
        """The job of a file, leased to `runner` (the id of the queue message).

        None: it is finished, or another runner is at it. The same runner, delivered again, takes up what it began.
        """
        own = job_id(container, name, etag)
        while True:
            item = await read_or_none(self._container, own, own)
            now = self._now()
            if item and (item["status"] in FINISHED or self._is_held(item, runner, now)):
                return None
            lease = {"runner": runner, "leaseUntil": fhir_instant(now + timedelta(seconds=LEASE_SECONDS))}
            try:
                if item is None:
                    new = {
                        "id": own,
                        "container": container,
                        "file": name,
                        "etag": etag,
                        "status": "running",
                        "counts": {},
                        "done": 0,
                        "errors": [],
                        "errorCount": 0,
                        "createdAt": fhir_instant(now),
                        "ttl": KEPT_SECONDS,
                        **lease,
                    }
                    with cosmos_errors(f"job {own}"):
                        return Job(self, dict(await self._container.create_item(new)))
                job = Job(self, {**item, **lease})
                await self.replace(job, running=True)
                return job
            except errors.Conflict:
                continue  # another runner was quicker: look again

    def _is_held(self, item: Item, runner: str, now: datetime) -> bool:
        return bool(item["runner"] != runner and item["leaseUntil"] > fhir_instant(now))

    async def replace(self, job: Job, *, running: bool) -> None:
        """Write a job back under its ETag. Raises Conflict where it has changed."""
        from azure.core import MatchConditions

        now = self._now()
        if running:
            job.item["leaseUntil"] = fhir_instant(now + timedelta(seconds=LEASE_SECONDS))
        else:
            job.item["finishedAt"] = fhir_instant(now)
        try:
            with cosmos_errors(f"job {job.id}"):
                job.item = dict(
                    await self._container.replace_item(
                        job.id, job.item, etag=job.item["_etag"], match_condition=MatchConditions.IfNotModified
                    )
                )
        except errors.VersionConflict as error:
            raise errors.Conflict(f"job {job.id} was taken over by another runner") from error

    async def shown(self, container: str, name: str, etag: str) -> dict[str, Any]:
        """What a caller sees of the load of a file's present content; one not begun is queued."""
        own = job_id(container, name, etag)
        item = await read_or_none(self._container, own, own)
        if item is None:
            return {"id": own, "container": container, "file": name, "status": "queued", "counts": {}, "errors": []}
        shown = {field: item[field] for field in _SHOWN if field in item}
        if item["status"] == "running" and item["leaseUntil"] < fhir_instant(self._now() - GIVEN_UP):
            text = "the worker ended in the middle of it again and again; send the file once more, in smaller parts"
            shown |= {"status": "failed", "errors": [*shown["errors"], {"text": text}]}
        return shown
