"""Loads a file of the `bundles` container: a bundle, or resources line by line (NDJSON), either of them gzipped.

The same event twice, or a death halfway, makes nothing twice: a job is named by the file's content, a transaction
leaves a marker, and the ids of what lines create follow from the job and the line.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared_code import errors
from shared_code.events import log_event
from shared_code.fhir import Resource, parse, resource_types
from shared_code.identity import Caller, read_scopes
from shared_code.loading.bundles import BundleLoader
from shared_code.loading.entries import Entry, read_entries
from shared_code.loading.jobs import LEASE_SECONDS, Job, Jobs
from shared_code.loading.streams import groups, lines, unpacked
from shared_code.records import Contended, RecordStore, Write, update_write

if TYPE_CHECKING:
    from azure.storage.blob.aio import BlobServiceClient

MAX_BUNDLE_BYTES = 100_000_000  # of which a worker needs about ten times as much memory
LOADER = Caller("loader", "system", None, read_scopes(["system/*.cruds"]))
_NO_SUCH_BLOB = (400, 404)  # 400: a name that no blob can have
# What another try may do without; anything else is wrong with the file and stays so.
_MAY_PASS = (errors.Busy, errors.Throttled, errors.Conflict)


@dataclass(frozen=True, slots=True)
class File:
    """A blob at one moment; `etag` names its content."""

    container: str
    name: str
    etag: str


class FileLoader:
    """Streams files from blobs into the record store."""

    def __init__(
        self,
        blobs: BlobServiceClient,
        jobs: Jobs,
        store: RecordStore,
        bundles: BundleLoader,
    ) -> None:
        self._blobs, self._jobs, self._store, self._bundles = blobs, jobs, store, bundles
        self._large = asyncio.Semaphore(1)  # a whole bundle at a time: it is in memory, many times over

    async def load(self, file: File, runner: str, *, last_try: bool = False) -> None:
        """Load a file once; `runner` is the id of the queue message that asks for it.

        What is wrong with the file is in its job. What is wrong with the services is raised, and the message comes
        again; on its last try the job says so.
        """
        job = await self._jobs.begin(file.container, file.name, file.etag, runner)
        if job is None:
            return
        try:
            await self._load(file, job)
        except Exception as fault:
            wrong = isinstance(fault, errors.PortalError) and not isinstance(fault, _MAY_PASS)
            if wrong or last_try:
                unknown = errors.of_the_server()
                job.fail({}, fault if isinstance(fault, errors.PortalError) else unknown)
                await job.finish("failed")
            if wrong:
                return
            raise
        await job.finish("completed")
        log_event("load", "success", job=job.id, errors=job.item["errorCount"])

    async def state(self, container: str, name: str) -> dict[str, Any]:
        """How the load of a file's present content goes. Raises NotFound where there is no such file."""
        from azure.core.exceptions import AzureError, HttpResponseError

        missing = errors.NotFound(f"there is no file {name[:200]!r} in the container {container!r}")
        if not _is_name(name):
            raise missing
        try:
            properties = await self._blobs.get_blob_client(container, name).get_blob_properties()
        except (HttpResponseError, ValueError) as fault:
            if getattr(fault, "status_code", 404) in _NO_SUCH_BLOB:
                raise missing from fault
            raise errors.Busy("the files cannot be reached", 5) from fault
        except AzureError as fault:
            raise errors.Busy("the files cannot be reached", 5) from fault
        return await self._jobs.shown(container, name, properties.etag)

    async def _load(self, file: File, job: Job) -> None:
        content = unpacked(self._chunks(file))
        begin = b""
        async for chunk in content:
            begin += chunk
            if len(begin) >= 4096 or b"\n" in begin.strip():
                break
        if _is_ndjson(file.name, begin):
            await self._load_lines(_joined(begin, content), job)
        else:
            await self._load_bundle(_joined(begin, content), job)

    async def _chunks(self, file: File) -> AsyncIterator[bytes]:
        """The blob's content, as long as it is still that of the event. Raises Malformed where it has gone."""
        from azure.core import MatchConditions
        from azure.core.exceptions import AzureError, ResourceModifiedError, ResourceNotFoundError

        if not _is_name(file.name):
            raise errors.Malformed("the name of the file is none that a blob can have")
        blob = self._blobs.get_blob_client(file.container, file.name)
        try:
            download = await blob.download_blob(
                etag=f'"{file.etag.strip(chr(34))}"', match_condition=MatchConditions.IfNotModified
            )
            async for chunk in download.chunks():
                yield chunk
        except (ResourceNotFoundError, ResourceModifiedError) as fault:
            raise errors.Malformed("the file was replaced or removed before it was loaded") from fault
        except AzureError as fault:
            raise errors.Busy("the file cannot be read now", 5) from fault

    # A bundle

    async def _load_bundle(self, content: AsyncIterator[bytes], job: Job) -> None:
        if await self._store.has_marker(job.id):
            return await self._count_again(content, job)
        async with _kept(job), self._large:
            bundle = await _whole_bundle(content)
            results = await self._bundles.carry_out(LOADER, bundle, seed=job.id)
        for result in results:
            if isinstance(result.error, errors.Busy | errors.Throttled | Contended):
                raise result.error
        self._count(bundle, [result.error for result in results], job)

    async def _count_again(self, content: AsyncIterator[bytes], job: Job) -> None:
        """A former run made the transaction and died before it said so."""
        bundle = await _whole_bundle(content)
        self._count(bundle, [None] * len(bundle.get("entry", [])), job)

    def _count(self, bundle: Resource, failures: list[errors.PortalError | None], job: Job) -> None:
        for index, (entry, error) in enumerate(zip(read_entries(bundle), failures, strict=True)):
            if error:
                job.fail({"entry": index}, error)
            elif isinstance(entry, Entry) and entry.resource is not None:
                job.count(entry.type)
        job.item["done"] = len(failures)

    # Lines

    async def _load_lines(self, content: AsyncIterator[bytes], job: Job) -> None:
        async for group in groups(lines(content), job.done):
            await self._load_group(group, job)
            await job.save(group[-1][0])

    async def _load_group(self, group: list[tuple[int, bytes]], job: Job) -> None:
        """Load some lines together, or where that fails each by itself, so that one bad line keeps back no other."""
        writes: list[tuple[int, Write]] = []
        for number, line in group:
            try:
                writes.append((number, self._write(number, line, job)))
            except (errors.Malformed, errors.Invalid, errors.TooLarge, errors.NotFound) as error:
                job.fail({"line": number}, error)
        names = [write.item_id for _, write in writes]
        try:
            if len(set(names)) < len(names):
                raise errors.Conflict("two lines have the same resource")
            if writes:
                await self._store.transact(LOADER, [write for _, write in writes])
        except (errors.Throttled, errors.Busy):
            raise
        except errors.PortalError:
            for number, write in writes:  # in order: of two lines with one resource the later one counts
                await self._load_line(number, write, job)
            return
        for _, write in writes:
            job.count(write.type)

    async def _load_line(self, number: int, write: Write, job: Job) -> None:
        try:
            await self._store.transact(LOADER, [write])
            job.count(write.type)
        except (errors.Throttled, errors.Busy, Contended):  # nothing is wrong with the line
            raise
        except errors.PortalError as error:
            job.fail({"line": number}, error)

    def _write(self, number: int, line: bytes, job: Job) -> Write:
        resource = parse(line)
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        if not isinstance(kind, str) or kind not in resource_types():
            raise errors.Malformed("the line is not a resource of a type that has an endpoint")
        self._store.checked(resource)
        digest = hashlib.sha256(f"{job.id}:{number}".encode()).digest()
        return update_write(resource, resource.get("id") or self._store.new_id(resource, digest))


@asynccontextmanager
async def _kept(job: Job) -> AsyncIterator[None]:
    """Keeps a job's lease while something long runs that saves nothing by itself."""
    ended = asyncio.Event()

    async def renew() -> None:
        while not ended.is_set():
            try:
                await asyncio.wait_for(ended.wait(), LEASE_SECONDS / 3)
            except TimeoutError:
                try:
                    await job.save(job.done)
                except (errors.Busy, errors.Throttled) as fault:  # there is time for two more
                    log_event("job_lease_renew", "delayed", job=job.id, reason=str(fault))
                except errors.Conflict:  # somebody else has it; what is under way finds out when it is done
                    return

    task = asyncio.create_task(renew())
    try:
        yield
    finally:
        ended.set()
        await task


async def _whole_bundle(content: AsyncIterator[bytes]) -> dict[str, Any]:
    parts: list[bytes] = []
    size = 0
    async for chunk in content:
        size += len(chunk)
        if size > MAX_BUNDLE_BYTES:
            raise errors.TooLarge(
                f"a bundle has at most {MAX_BUNDLE_BYTES:,} bytes; send NDJSON, which is loaded by line"
            )
        parts.append(chunk)
    bundle = await asyncio.to_thread(parse, b"".join(parts))
    if not isinstance(bundle, dict):
        raise errors.Malformed("the file is neither a Bundle nor NDJSON")
    return bundle


def _is_name(name: str) -> bool:
    """Whether a blob may be called that; parts of dots would lead out of the container."""
    return not {".", ".."} & set(name.replace("\\", "/").split("/"))


def _is_ndjson(name: str, begin: bytes) -> bool:
    """By its name; else by whether its first line is a whole JSON object that is no Bundle."""
    plain = name.removesuffix(".gz").lower()
    if plain.endswith((".ndjson", ".jsonl")):
        return True
    first, newline, _ = begin.lstrip().partition(b"\n")
    if not newline:
        return False
    try:
        value = parse(first.rstrip(b"\r"))
    except errors.Malformed:
        return False
    return isinstance(value, dict) and value.get("resourceType") != "Bundle"


async def _joined(begin: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if begin:
        yield begin
    async for chunk in rest:
        yield chunk
