"""Requests that read a container item by item: the read feed, and the change feed in its two modes."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Awaitable

from local.cosmos import charge
from local.cosmos.account import Account
from local.cosmos.errors import bad_request
from local.cosmos.queries import feed_headers, page_size
from local.cosmos.ranges import WHOLE, Scope, scope_of
from local.cosmos.sql.execution import MAX_PAGE_BYTES, Execution, Limits
from local.cosmos.sql.parser import parse
from local.cosmos.sql.position import read_token
from local.cosmos.storage.catalog import Container
from local.cosmos.storage.changes import Changes, Wanted, read_changes
from local.cosmos.storage.items import now
from local.cosmos.storage.versions import read_versions
from local.cosmos.wire import Answer, Request, moment

_ALL = "SELECT * FROM c"
_LATEST_VERSION, _ALL_VERSIONS = "incremental feed", "full-fidelity feed"
_EVERYTHING = "read feed"  # what a token of the read feed is bound to


def read_feed(account: Account, request: Request) -> Awaitable[Answer]:
    """GET of the items: all of the container, of one key, or of a range."""
    container = account.container(request)
    factor = account.consistency.read_factor(request)
    scope = scope_of(request, container.key, account.ranges) or Scope(None, WHOLE, None)
    token = request.header(b"x-ms-continuation")
    start = read_token(token, _EVERYTHING) if token else None
    execution = Execution(parse(_ALL), {}, container, scope)
    limits = Limits(rows=page_size(request))

    async def answer() -> Answer:
        page = await account.in_reader(container, lambda at: execution.page(at, start, limits))
        headers = feed_headers(account, container, scope.range_id)
        headers["x-ms-item-count"] = str(len(page.rows))
        if page.next is not None:
            headers["x-ms-continuation"] = page.next.token(_EVERYTHING)
        return Answer(200, _documents(container, page.rows), headers, factor * charge.feed(len(page.rows), page.size))

    return answer()


async def change_feed(account: Account, request: Request) -> Answer:
    """GET with `A-IM`: what was written after the ETag of the last page, in the order of writing; 304 for nothing."""
    container = account.container(request)
    factor = account.consistency.read_factor(request)
    mode = (request.header(b"a-im") or "").lower()
    since = request.header(b"if-none-match")
    if mode == _ALL_VERSIONS:
        _require_versions(container, since)
    elif mode != _LATEST_VERSION:
        raise bad_request("The A-IM of a change feed is Incremental Feed or Full-Fidelity Feed.")
    scope = scope_of(request, container.key, account.ranges) or Scope(None, WHOLE, None)
    changes = Changes(container.lsn)
    if since != "*":
        wanted = _wanted(request, container, scope, since)
        if wanted.after < container.lsn:
            changes = await account.in_reader(container, functools.partial(_read, container, wanted, mode))
    headers = feed_headers(account, container, scope.range_id)
    headers["etag"] = f'"{changes.reached}"'
    headers["x-ms-item-count"] = str(len(changes.rows))
    if not changes.rows:
        return Answer(304, b"", headers, factor * charge.feed(0, 0))
    size = sum(map(len, changes.rows))
    return Answer(200, _documents(container, changes.rows), headers, factor * charge.feed(len(changes.rows), size))


def _read(container: Container, wanted: Wanted, mode: str, connection: sqlite3.Connection) -> Changes:
    if mode == _ALL_VERSIONS:
        return read_versions(connection, container.table, container.number, wanted)
    return read_changes(connection, container.table, container.number, wanted, now())


def _require_versions(container: Container, since: str | None) -> None:
    if container.keeps_versions_minutes is None:
        raise bad_request("The change feed policy of this container does not keep all versions and deletes.")
    if since is None:
        raise bad_request("The change feed of all versions and deletes is read from now on or from a continuation.")


def _wanted(request: Request, container: Container, scope: Scope, since: str | None) -> Wanted:
    begin = request.header(b"if-modified-since")
    return Wanted(
        after=_after(since, container),
        epk=None if scope.key is None else scope.key.epk,
        interval=scope.interval,
        from_second=None if begin is None else _second(begin),
        items=page_size(request),
        size=MAX_PAGE_BYTES,
    )


def _after(since: str | None, container: Container) -> int:
    if since is None:
        return 0
    text = since.removeprefix("W/").strip('"')
    if not text.isdecimal() or int(text) > container.lsn:
        raise bad_request("The If-None-Match of the change feed is not an ETag that this container has given out.")
    return int(text)


def _second(text: str) -> int:
    second = moment(text)
    if second is None:
        raise bad_request("The If-Modified-Since is not an RFC 1123 date.")
    return int(second)


def _documents(container: Container, rows: list[bytes]) -> bytes:
    return b'{"_rid":"%b","Documents":[%b],"_count":%d}' % (container.rid.encode(), b",".join(rows), len(rows))
