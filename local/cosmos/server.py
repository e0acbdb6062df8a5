"""The web server: reads a request, checks its signature, hands it to what it is about, and sends the answer."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
import uuid
from collections.abc import Awaitable, Callable

from local.cosmos import batch, feeds, items, queries, resources
from local.cosmos.account import Account
from local.cosmos.entra import is_entra
from local.cosmos.errors import CosmosError, bad_request
from local.cosmos.explorer import page_for
from local.cosmos.faults import PATH as FAULTS_PATH
from local.cosmos.faults import Faults, Rule, refusal_of
from local.cosmos.index.background import PATH as INDEX_PATH
from local.cosmos.throughput import ranges_of
from local.cosmos.wire import Answer, Request, path_segments
from local.http_server import BrokenOffError, Exchange, TooLargeError

Handler = Callable[[Account, Request], Answer | Awaitable[Answer]]

_LOG = logging.getLogger("local.cosmos")
_MAX_BODY_MB = 4
REFUSED = 1.0  # what a request costs that is refused
_NOT_HERE = frozenset(
    ("sprocs", "triggers", "udfs", "conflicts", "users", "permissions", "attachments", "clientencryptionkeys")
)
_QUERY_TYPES = ("application/query+json", "application/sql")


class Server:
    """Answers requests about one account; `scheme` is how they come, http or https."""

    def __init__(self, account: Account, scheme: str) -> None:
        self._account, self._scheme = account, scheme

    async def handle(self, exchange: Exchange) -> None:
        """Answer one request."""
        headers = dict(exchange.headers)
        try:
            request = Request(exchange.method, path_segments(exchange.path), headers, scheme=self._scheme)
            request.body = await exchange.body(_MAX_BODY_MB * 1024 * 1024)
            answer = await self._answer(request)
        except CosmosError as error:
            answer = refusal(error)
        except TooLargeError:
            answer = refusal(CosmosError(413, f"Request size is too large: a request has at most {_MAX_BODY_MB} MB."))
        except BrokenOffError:
            return
        except ConnectionAbortedError:
            exchange.cut()
            return
        except Exception:
            _LOG.exception("%s %s failed", exchange.method, exchange.path.decode("ascii", "replace"))
            answer = refusal(CosmosError(500, "The server failed; its log says where."))
        group = self._account.file.group
        if group is not None:
            answer = await _once_committed(group, answer)
        exchange.answer(answer.status, _headers(headers, answer), answer.body)

    async def _answer(self, request: Request) -> Answer:
        faults = self._account.faults
        if request.segments == FAULTS_PATH:
            return _faults(faults, request)
        if request.segments == INDEX_PATH:
            return Answer(200, self._account.index.described())
        self._account.index.last_request = time.monotonic()
        page = page_for(request)
        if page is not None:
            return page
        if self._account.tokens is not None and is_entra(request):
            await self._account.tokens.check(request)
        else:
            self._account.key.check(request)
        rule = faults.hit(request) if faults.rules else None
        if rule is None:
            return await self._metered(request)
        return await self._faulty(request, rule)

    async def _faulty(self, request: Request, rule: Rule) -> Answer:
        """The answer of a request that meets a fault; raises ConnectionAbortedError where it gets none."""
        error = refusal_of(rule)
        if error is not None:
            raise error
        if rule.fault == "drop-before":
            raise ConnectionAbortedError
        if rule.fault == "delay":
            await asyncio.sleep(rule.seconds)
        request.wants_empty_page = rule.fault == "empty-page"
        answer = await self._metered(request)
        if rule.fault == "drop-after":
            raise ConnectionAbortedError
        return answer

    async def _metered(self, request: Request) -> Answer:
        """The answer, within the request units that the container may spend."""
        account, throughput, segments = self._account, self._account.throughput, request.segments
        handler = _handler(request)
        if throughput is None or len(segments) < 5 or segments[4] == "pkranges":
            answer = handler(account, request)
            return answer if isinstance(answer, Answer) else await answer
        container = account.catalog.container(segments[1], segments[3])
        spenders = ranges_of(request, container.key, account.ranges)
        for range_id in spenders:
            throughput.require(container.number, range_id)
        charged = REFUSED
        try:
            pending = handler(account, request)
            answer = pending if isinstance(pending, Answer) else await pending
            charged = answer.charge
        finally:
            for range_id in spenders:
                throughput.spend(container.number, range_id, charged / len(spenders))
        return answer


async def _once_committed(group: asyncio.Future[None], answer: Answer) -> Answer:
    """The answer when all that it may rest on is sure to stay."""
    try:
        await group
    except sqlite3.Error:
        _LOG.exception("what was written could not be committed")
        return refusal(CosmosError(500, "What was written could not be committed."))
    return answer


def _faults(faults: Faults, request: Request) -> Answer:
    """GET and PUT of the faults that tests ask for; a path of this server's own."""
    if request.method == "PUT":
        faults.replace(request.body)
    elif request.method != "GET":
        raise CosmosError(405, "The faults are read by GET and set by PUT.")
    return Answer(200, faults.described())


def refusal(error: CosmosError) -> Answer:
    """The answer that says what is wrong."""
    headers = {"x-ms-substatus": str(error.substatus), **error.headers}
    return Answer(error.status, b"" if error.status == 304 else error.body, headers, REFUSED)


def _create_item_batch_or_query(account: Account, request: Request) -> Answer | Awaitable[Answer]:
    """POST on the items of a container: its headers say which of four things it is."""
    if request.flag(b"x-ms-cosmos-is-query-plan-request"):
        return queries.plan(account, request)
    if _is_query(request):
        return queries.query(account, request)
    if request.flag(b"x-ms-cosmos-is-batch-request"):
        return batch.execute(account, request)
    return items.create_or_upsert(account, request)


def _read_feed(account: Account, request: Request) -> Answer | Awaitable[Answer]:
    return feeds.change_feed(account, request) if b"a-im" in request.headers else feeds.read_feed(account, request)


# Method, names at the even places of the path, number of its parts.
_ROUTES: dict[tuple[str, tuple[str, ...], int], Handler] = {
    ("GET", (), 0): resources.read_account,
    ("GET", ("dbs",), 1): resources.list_databases,
    ("POST", ("dbs",), 1): resources.create_database,
    ("GET", ("dbs",), 2): resources.read_database,
    ("DELETE", ("dbs",), 2): resources.delete_database,
    ("GET", ("dbs", "colls"), 3): resources.list_containers,
    ("POST", ("dbs", "colls"), 3): resources.create_container,
    ("GET", ("dbs", "colls"), 4): resources.read_container,
    ("PUT", ("dbs", "colls"), 4): resources.replace_container,
    ("DELETE", ("dbs", "colls"), 4): resources.delete_container,
    ("GET", ("dbs", "colls", "pkranges"), 5): resources.read_ranges,
    ("GET", ("dbs", "colls", "docs"), 5): _read_feed,
    ("POST", ("dbs", "colls", "docs"), 5): _create_item_batch_or_query,
    ("GET", ("dbs", "colls", "docs"), 6): items.read,
    ("PUT", ("dbs", "colls", "docs"), 6): items.replace,
    ("PATCH", ("dbs", "colls", "docs"), 6): items.patch,
    ("DELETE", ("dbs", "colls", "docs"), 6): items.delete,
    ("POST", ("dbs", "colls", "operations"), 6): items.delete_partition,
    ("GET", ("offers",), 1): resources.query_offers,
    ("POST", ("offers",), 1): resources.query_offers,
    ("GET", ("offers",), 2): resources.read_offer,
    ("PUT", ("offers",), 2): resources.replace_offer,
}
_LISTS: dict[tuple[str, ...], Handler] = {
    ("dbs",): resources.list_databases,
    ("dbs", "colls"): resources.list_containers,
}


def _handler(request: Request) -> Handler:
    names = tuple(request.segments[::2])
    if request.method == "POST" and names in _LISTS and _is_query(request):
        return _LISTS[names]
    handler = _ROUTES.get((request.method, names, len(request.segments)))
    if handler is not None:
        return handler
    refused = _NOT_HERE.intersection(names)
    if refused:
        raise bad_request(f"This server has no {', '.join(sorted(refused))}.")
    raise CosmosError(404, "There is nothing under this path and method.")


def _is_query(request: Request) -> bool:
    return request.flag(b"x-ms-documentdb-isquery") or (request.header(b"content-type") or "").startswith(_QUERY_TYPES)


def _headers(sent: dict[bytes, bytes], answer: Answer) -> list[tuple[str, str]]:
    asked_as = sent.get(b"x-ms-activity-id")
    return [
        ("content-type", answer.content_type),
        ("x-ms-activity-id", str(uuid.uuid4()) if asked_as is None else asked_as.decode("latin-1")),
        ("x-ms-request-charge", f"{answer.charge:.2f}"),
        ("x-ms-version", "2020-07-15"),
        *answer.headers.items(),
    ]
