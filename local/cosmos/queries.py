"""Requests that query the items of a container, and those for the plan of a query."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

import msgspec

from local.cosmos import charge
from local.cosmos.account import Account
from local.cosmos.doubles import as_doubles
from local.cosmos.errors import NEEDS_QUERY_PLAN, CosmosError, bad_request
from local.cosmos.index.tables import is_damage
from local.cosmos.ranges import WHOLE, Scope, scope_of
from local.cosmos.sql.execution import MAX_PAGE_ITEMS, Execution, Limits, Page
from local.cosmos.sql.parser import parse
from local.cosmos.sql.plan import PARTIAL_MARK, needs_plan, query_plan
from local.cosmos.sql.position import Position, read_token
from local.cosmos.sql.scan import TooLong
from local.cosmos.sql.staged import Staged, execution_of
from local.cosmos.sql.values import Value
from local.cosmos.storage.catalog import Container
from local.cosmos.wire import Answer, Request


class _Parameter(msgspec.Struct):
    name: str
    value: Any = None


class _Body(msgspec.Struct):
    query: str
    parameters: list[_Parameter] | None = None


_PATIENCE_SECONDS = 0.02  # all other requests wait so long for the query of a partition key

# What a continuation token is bound to, beside the query and its parameters.
_SCOPE_HEADERS = (
    b"x-ms-documentdb-partitionkey",
    b"x-ms-documentdb-partitionkeyrangeid",
    b"x-ms-start-epk",
    b"x-ms-end-epk",
)


@dataclass(frozen=True, slots=True)
class _Sent:
    """What a query request says; `fingerprint` binds continuation tokens to it."""

    text: str
    parameters: dict[str, Value]
    fingerprint: str


def query(account: Account, request: Request) -> Answer | Awaitable[Answer]:
    """POST of a query: one page. What is not of one partition key runs beside the event loop."""
    container = account.container(request)
    factor = account.consistency.read_factor(request)
    sent = _read(request)
    partial = sent.text.startswith(PARTIAL_MARK)
    parsed = parse(sent.text.removeprefix(PARTIAL_MARK))
    named = scope_of(request, container.key, account.ranges)
    scope = named or Scope(None, WHOLE, None)
    container.policy.require_order(parsed)
    execution = execution_of(parsed, sent.parameters, container, scope, partial=partial)
    pinned = execution.pinned
    if named is None and pinned is None:
        if not request.flag(b"x-ms-documentdb-query-enablecrosspartition"):
            raise bad_request(
                "Cross partition query is required but disabled. Please set x-ms-documentdb-query-enablecrosspartition"
                " to true, specify x-ms-documentdb-partitionkey, or revise your query to avoid this exception."
            )
        if needs_plan(parsed):
            raise CosmosError(
                400,
                "The provided cross partition query can not be directly served by the gateway. This is a first chance"
                " (internal) exception that all newer clients will know how to handle gracefully.",
                NEEDS_QUERY_PLAN,
            )
    start = _start(request, sent.fingerprint)
    rows = page_size(request)
    range_id = scope.range_id if pinned is None else account.ranges.id_of(pinned)
    run = _Run(account, container, execution, sent.fingerprint, range_id, factor, request)
    if request.wants_empty_page:
        return run.answer(Page(next=start or execution.first))
    if pinned is not None:
        limits = Limits(rows, patience_seconds=_PATIENCE_SECONDS)
        try:
            return run.answer(execution.page(account.file.connection, start, limits))
        except TooLong:
            pass  # so it is a large partition: like a query over several
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            # Beside the event loop there is time to make a damaged index again.
    return run.beside(start, Limits(rows))


def plan(account: Account, request: Request) -> Answer:
    """POST of a query whose plan is asked for."""
    account.container(request)
    sent = _read(request)
    features = request.header(b"x-ms-cosmos-supported-query-features") or ""
    supported = {feature.strip() for feature in features.split(",")}
    described = query_plan(parse(sent.text), sent.text, sent.parameters, supported)
    return Answer(200, msgspec.json.encode(described), charge=charge.MANAGEMENT)


@dataclass(frozen=True, slots=True)
class _Run:
    """One page on its way to an answer."""

    account: Account
    container: Container
    execution: Execution | Staged
    fingerprint: str
    range_id: str | None
    read_factor: float
    request: Request

    async def beside(self, start: Position | None, limits: Limits) -> Answer:
        """A page of several partition keys, in a thread with a snapshot of its own."""
        return self.answer(
            await self.account.in_reader(self.container, lambda at: self.execution.page(at, start, limits))
        )

    def answer(self, page: Page) -> Answer:
        """No ETag: the client would take it for a continuation token."""
        body = b'{"_rid":"%b","Documents":[%b],"_count":%d}' % (
            self.container.rid.encode(),
            b",".join(page.rows),
            len(page.rows),
        )
        headers = feed_headers(self.account, self.container, self.range_id)
        headers["x-ms-item-count"] = str(len(page.rows))
        if page.next is not None:
            headers["x-ms-continuation"] = page.next.token(self.fingerprint)
        if self.request.flag(b"x-ms-documentdb-populatequerymetrics"):
            headers["x-ms-documentdb-query-metrics"] = _metrics(page)
        return Answer(200, body, headers, self.read_factor * charge.query(page.items_loaded, page.size))


def feed_headers(account: Account, container: Container, range_id: str | None) -> dict[str, str]:
    """The headers of an answer with several items, which may be of one range or of all."""
    if range_id is not None:
        return account.item_headers(container, range_id)
    return {
        "x-ms-session-token": account.ranges.session_token(container.lsn),
        "x-ms-alt-content-path": container.alt_content_path,
        "lsn": str(container.lsn),
    }


def page_size(request: Request) -> int:
    """How many items the caller wants at most on a page."""
    wanted = request.number(b"x-ms-max-item-count")
    if wanted is None or wanted == -1:
        return MAX_PAGE_ITEMS
    if wanted < 1:
        raise bad_request("The x-ms-max-item-count is -1 or a positive number.")
    return min(wanted, MAX_PAGE_ITEMS)


def _read(request: Request) -> _Sent:
    try:
        body = msgspec.json.decode(request.body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise bad_request(f"The query is not a JSON object with query and parameters: {error}") from None
    try:
        parameters = {one.name: as_doubles(one.value) for one in body.parameters or []}
    except OverflowError:
        raise bad_request("A parameter of the query has a number that no double can hold.") from None
    scope = [request.headers.get(name, b"") for name in _SCOPE_HEADERS]
    fingerprint = hashlib.blake2b(b"\0".join([request.body, *scope]), digest_size=8).hexdigest()
    return _Sent(body.query, parameters, fingerprint)


def _start(request: Request, fingerprint: str) -> Position | None:
    token = request.header(b"x-ms-continuation")
    return None if not token else read_token(token, fingerprint)


def _metrics(page: Page) -> str:
    values = {
        "totalExecutionTimeInMs": f"{page.seconds * 1000:.2f}",
        "retrievedDocumentCount": str(page.items_loaded),
        "retrievedDocumentSize": str(page.size),
        "outputDocumentCount": str(len(page.rows)),
        "outputDocumentSize": str(page.size),
        "indexUtilizationRatio": f"{len(page.rows) / page.items_loaded if page.items_loaded else 1:.2f}",
    }
    return ";".join(f"{name}={value}" for name, value in values.items())
