"""Carries out transaction and batch bundles: all at once, or entry by entry."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from urllib.parse import parse_qsl

import msgspec

from shared_code import errors
from shared_code.azure.cosmos import in_parallel
from shared_code.errors import Issue
from shared_code.events import log_event
from shared_code.fhir import Pointers, Resource, answer, validate
from shared_code.identity import Caller, require_scope
from shared_code.loading.entries import METHODS, Entry, read_entries, require_distinct, require_read
from shared_code.loading.plan import Found, Plan
from shared_code.loading.references import Lost
from shared_code.loading.waves import Waves
from shared_code.records import (
    ConditionalCreate,
    Contended,
    Query,
    RecordStore,
    Stored,
    Write,
    raw,
    read_query,
    searchset,
    until_uncontended,
    update_write,
)

LARGE_ENTRIES = 50  # above, checking a bundle leaves the event loop


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an entry: the version it led to, what it read, or its failure (of a batch, or of a read)."""

    status: int
    version: Stored | None = None
    resource: Resource | msgspec.Raw | None = None
    error: errors.PortalError | None = None


class BundleLoader:
    """Carries bundles out on a record store.

    A load that may be run twice has a name, its seed: the ids of what a batch creates follow from it, and a transaction
    leaves a marker with it. So the second run makes nothing.
    """

    def __init__(self, store: RecordStore, base_url: str) -> None:
        self._store, self._base_url = store, base_url

    async def carry_out(self, caller: Caller, bundle: Resource, seed: str | None = None) -> list[Result]:
        """The results of a transaction or batch, entry by entry.

        raises   Malformed, Invalid: of the bundle, or of any entry of a transaction; then nothing is stored
        """
        raw_entries = bundle.get("entry")
        size = len(raw_entries) if isinstance(raw_entries, list) else 0
        if bundle.get("type") == "batch":
            plan, results = await off_the_loop(size, partial(self._batch_plan, bundle))
            results |= await self._batch(caller, plan, seed)
            return [results[index] for index in range(size)]
        plan = await off_the_loop(size, partial(self._transaction_plan, bundle))
        for entry in plan.entries:
            if entry.method == "GET":
                self._require_readable(caller, entry)
        return await until_uncontended(partial(self._transaction, caller, plan, seed))

    def _transaction_plan(self, bundle: Resource) -> Plan:
        entries = require_read(read_entries(bundle))
        require_distinct(entries)
        plan = Plan(entries, validate(bundle), self._base_url)
        plan.raise_failures()
        return plan

    def _batch_plan(self, bundle: Resource) -> tuple[Plan, dict[int, Result]]:
        """The plan of the entries that can be read, and the results of those that cannot."""
        read = read_entries(bundle)
        validate({name: value for name, value in bundle.items() if name != "entry"})
        entries = [entry for entry in read if isinstance(entry, Entry)]
        pointers: dict[int, Pointers] = {}
        invalid: dict[int, errors.Invalid] = {}
        for entry in entries:
            try:
                pointers |= validate({"resourceType": "Bundle", "type": "batch", "entry": [entry.raw]})
            except errors.Invalid as error:
                invalid[entry.index] = errors.Invalid(issues=[_in_place(issue, entry) for issue in error.issues])
        plan = Plan((entry for entry in entries if entry.index not in invalid), pointers, self._base_url)
        unread = {index: _failed(error) for index, error in enumerate(read) if isinstance(error, errors.Malformed)}
        return plan, unread | {index: _failed(error) for index, error in invalid.items()}

    async def _transaction(self, caller: Caller, plan: Plan, seed: str | None) -> list[Result]:
        conditions = [condition for condition in map(plan.create_condition, plan.entries) if condition]
        found = await self._store.find(caller, [*conditions, *plan.link_conditions(plan.entries)])
        found = plan.without_deleted(found)
        await off_the_loop(len(plan.entries), partial(self._resolve_all, plan, found))
        plan.raise_failures()
        writes: list[tuple[Entry, Write]] = []
        creates: list[tuple[Entry, ConditionalCreate]] = []
        for entry in sorted(plan.entries, key=lambda entry: METHODS.index(entry.method)):
            write = self._write(plan, entry)
            condition = plan.create_condition(entry)
            if write and condition:
                creates.append((entry, ConditionalCreate(write, condition)))
            elif write:
                writes.append((entry, write))
        everything = [write for _, write in writes], [create for _, create in creates]
        try:
            self._store.require_allowed(caller, *everything)
            await self._require_existing(caller, plan)
            done = await self._store.transact(caller, *everything, marker=seed)
        except errors.PortalError as error:
            if error.about is None:
                raise
            both = [*writes, *((entry, create.write) for entry, create in creates)]
            entry = next(entry for entry, write in both if f"{write.type}/{write.id}" == error.about)
            raise type(error)(issues=[_of_entry(issue, entry) for issue in error.issues]) from error
        results = {e.index: _result(version) for (e, _), version in zip([*writes, *creates], done, strict=True)}
        rest = [entry for entry in plan.entries if entry.index not in results]
        # Once the writes are made, a read that fails cannot undo them.
        read = await in_parallel(
            [partial(_or_why_not, partial(self._read, caller, plan, entry), seed) for entry in rest]
        )
        results |= {entry.index: result for entry, result in zip(rest, read, strict=True)}
        return [results[entry.index] for entry in plan.entries]

    def _resolve_all(self, plan: Plan, found: Found) -> None:
        plan.settle(found, partial(self._id, seed=None), at_once=True)
        for entry in plan.entries:
            plan.resolve(entry, found)

    async def _require_existing(self, caller: Caller, plan: Plan) -> None:
        outside = plan.outside()
        existing = await self._store.existing(caller, list(outside))
        faults = [
            link.fault(Lost.NOTHING) for name, link in outside.items() if name not in existing or name in plan.deleted
        ]
        if faults:
            raise errors.Malformed(issues=faults)

    async def _batch(self, caller: Caller, plan: Plan, seed: str | None) -> dict[int, Result]:
        """Each entry by itself, those that refer to others after them: what they name may fail, or be there already."""
        for entry in plan.entries:
            try:
                for kind in plan.condition_types(entry):
                    require_scope(caller, "search", kind)
            except errors.Forbidden as error:
                plan.failures.setdefault(entry.index, error)
        good = [entry for entry in plan.entries if entry.index not in plan.failures]
        conditions = [condition for condition in map(plan.create_condition, good) if condition]
        found = await self._store.find(caller, [*conditions, *plan.link_conditions(good)])
        plan.settle(found, partial(self._id, seed=seed))
        results = {index: _failed(error) for index, error in plan.failures.items()}
        for entry in plan.entries:
            if entry.index in results:
                plan.learn(entry, None)
        waves = Waves(good, plan)
        wave = waves.next()
        while wave:
            work = [partial(self._alone, caller, plan, entry, found, seed) for entry in wave]
            done = await in_parallel([partial(_or_why_not, one, seed) for one in work])
            for entry, result in zip(wave, done, strict=True):
                results[entry.index] = result
                plan.learn(entry, result.version.id if result.version and not result.error else None)
            wave = waves.next()
            # what has been carried out may have made what the next ones name by a condition
            found |= await self._store.find(caller, plan.link_conditions(wave))
        return results

    async def _alone(self, caller: Caller, plan: Plan, entry: Entry, found: Found, seed: str | None) -> Result:
        plan.resolve(entry, found)
        if entry.index in plan.failures:
            raise plan.failures[entry.index]
        if entry.method == "POST" and entry.index not in plan.ids and entry.index not in plan.matched:
            plan.ids[entry.index] = self._id(entry, seed)  # another entry has made what its home is named by
        write, condition = self._write(plan, entry), plan.create_condition(entry)
        if write is None:
            return await self._read(caller, plan, entry)
        try:
            if condition:
                return _result(await self._store.create_unless(caller, write, condition))
            return _result((await self._store.transact(caller, [write]))[0])
        except Contended:
            if seed is None or write.interaction != "create":
                raise
            made = await self._made_before(caller, write)
            if made is None:
                raise
            return Result(200, made)

    async def _made_before(self, caller: Caller, write: Write) -> Stored | None:
        """What a former run of the same load has made by this create."""
        try:
            return await self._store.read(caller, write.type, write.id)
        except (errors.NotFound, errors.Gone):
            return None

    def _id(self, entry: Entry, seed: str | None) -> str:
        digest = hashlib.sha256(f"{seed}:{entry.index}".encode()).digest() if seed else None
        return self._store.new_id(entry.resource or {}, digest)

    def _write(self, plan: Plan, entry: Entry) -> Write | None:
        if entry.method == "DELETE":
            return Write("delete", entry.type, str(entry.id), if_match=entry.if_match)
        if entry.resource is None or entry.index in plan.matched:
            return None
        if entry.method == "PUT":
            return update_write(entry.resource, str(entry.id), entry.if_match, if_none_match=entry.if_none_match)
        return self._store.new_write(entry.resource, plan.ids[entry.index])

    def _require_readable(self, caller: Caller, entry: Entry) -> None:
        """Raises Malformed or Forbidden where a GET can be refused before anything is written."""
        require_scope(caller, "read" if entry.id else "search", entry.type)
        if not entry.id:
            self._query(entry)

    def _query(self, entry: Entry) -> Query:
        try:
            return read_query(entry.type, parse_qsl(entry.query, keep_blank_values=True), self._base_url)
        except errors.Malformed as error:
            raise errors.Malformed(str(error), f"{entry.path}.request.url") from error

    async def _read(self, caller: Caller, plan: Plan, entry: Entry) -> Result:
        """The answer to an entry that changes nothing: a GET, or a create whose condition matched."""
        if entry.method == "POST":
            return Result(200, await self._store.read(caller, entry.type, plan.matched[entry.index]))
        if entry.id:
            version = await self._store.read(caller, entry.type, entry.id)
            return Result(200, version, resource=raw(version))
        query = self._query(entry)
        page = await self._store.search(caller, query)
        return Result(200, resource=searchset(self._base_url, page, query))


def response_bundle(kind: str, results: Sequence[Result], *, with_resources: bool) -> Resource:
    """The Bundle of type transaction-response or batch-response that answers."""
    bundle: Resource = {"resourceType": "Bundle", "type": f"{kind}-response"}
    return bundle | ({"entry": [_entry(result, with_resources) for result in results]} if results else {})


def _entry(result: Result, with_resources: bool) -> Resource:
    response: Resource = {"status": f"{result.status} {HTTPStatus(result.status).phrase}"}
    entry: Resource = {}
    if result.version:
        version = result.version
        response["location"] = f"{version.type}/{version.id}/_history/{version.version}"
        response |= {"etag": version.etag, "lastModified": version.last_updated}
        if with_resources and version.text is not None:
            entry["resource"] = raw(version)
    if result.resource is not None:
        entry["resource"] = result.resource
    if result.error:
        response["outcome"] = answer(result.error)[1]
    return entry | {"response": response}


def _in_place(issue: Issue, entry: Entry) -> Issue:
    """An issue of a bundle that has this entry alone, as one of its place in the whole."""
    path = entry.path + (issue.path or "").removeprefix("Bundle.entry[0]")
    return Issue(issue.code, issue.text.replace("Bundle.entry[0]", entry.path), path)


def _of_entry(issue: Issue, entry: Entry) -> Issue:
    """An issue of a write, at the place in its entry."""
    within = (issue.path or "").partition(".")[2]
    path = f"{entry.path}.resource.{within}" if within else f"{entry.path}.request"
    return Issue(issue.code, f"{entry.path}: {issue.text}", path)


def _failed(error: errors.PortalError) -> Result:
    return Result(answer(error)[0], error=error)


async def _or_why_not(work: Callable[[], Awaitable[Result]], seed: str | None) -> Result:
    """The result of one entry, its failure among them: a fault of ours in one is not to hide what others made.

    It is raised where the load has a seed, and so can be run again.
    """
    try:
        return await work()
    except errors.PortalError as error:
        return _failed(error)
    except Exception:
        if seed is not None:
            raise
        log_event("bundle_entry", "failure", with_traceback=True)
        return _failed(errors.of_the_server())


async def off_the_loop[T](size: int, work: Callable[[], T]) -> T:
    """Do work that is heavy where `size` says so in a thread, so that other requests go on."""
    return await asyncio.to_thread(work) if size > LARGE_ENTRIES else work()


def _result(version: Stored | None) -> Result:
    if version is None or version.text is None:
        return Result(204, version)
    return Result(201 if version.created else 200, version)
