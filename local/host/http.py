"""The HTTP side of the host: finds the function for a request, lets it in, and sends what it gave."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from local.host.admin import Admin
from local.host.cors import Cors
from local.host.http_messages import (
    Answer,
    Headers,
    answer_of,
    decoded_path,
    empty,
    header_values,
    query_values,
    url_path,
)
from local.host.index import Function, HttpTrigger
from local.host.invocations import Invocations
from local.host.keys import Keys
from local.host.settings import HostConfig
from local.host.shapes import Message, ParameterBinding, TypedData
from local.host.worker import Occasion
from local.http_server import BrokenOffError, Exchange

LONGEST_URL, LONGEST_QUERY = 8192, 4096
FRONT_END_SECONDS = 230
NO_BYTES = TypedData(bytes=b"")
HOMEPAGE = b"<!doctype html><title>Functions</title><p>Your function app is up and running.</p>\n"
log = logging.getLogger("Host.General")


@dataclass(slots=True)
class Limits:
    """How much may go on at a time (None: no limit), and what a request may bring and take."""

    concurrent: int | None
    outstanding: int | None
    body_bytes: int
    answer_seconds: float = FRONT_END_SECONDS


@dataclass(slots=True)  # not frozen: one is made for each call, and that takes thrice as long
class Request:
    """What is known of a request before its body is read."""

    method: str
    path: str
    raw_path: bytes
    query_text: str
    headers: Mapping[str, str]
    query: Mapping[str, str]

    @property
    def key(self) -> str | None:
        """The access key it carries."""
        return self.headers.get("x-functions-key") or self.query.get("code")


class HttpSide:
    """Handles the requests of the web server."""

    def __init__(
        self,
        functions: Sequence[Function],
        invocations: Invocations,
        keys: Keys,
        cors: Cors,
        admin: Admin,
        config: HostConfig,
        limits: Limits,
        *,
        homepage: bool,
    ) -> None:
        self._routes = [
            (function, function.trigger) for function in functions if isinstance(function.trigger, HttpTrigger)
        ]
        self._invocations, self._keys, self._cors, self._admin = invocations, keys, cors, admin
        self._custom: Headers = [(name.lower(), value) for name, value in config.custom_headers.items()]
        self._limits, self._homepage = limits, homepage
        self._free = asyncio.Semaphore(limits.concurrent) if limits.concurrent else None
        self._outstanding = 0
        self.ready = False

    async def handle(self, exchange: Exchange) -> None:
        """Answer one request."""
        raw_path, query = exchange.path, exchange.query
        if len(raw_path) + len(query) + 1 > LONGEST_URL or len(query) > LONGEST_QUERY:
            _send(exchange, empty(414))
            return
        try:
            headers = header_values(exchange.headers)
            path, query_text = decoded_path(raw_path), query.decode()
        except UnicodeDecodeError:
            _send(exchange, empty(400))
            return
        request = Request(exchange.method, path, raw_path, query_text, headers, query_values(query_text))
        preflight = self._cors.preflight(request.method, headers)
        if preflight:
            _send(exchange, preflight)
            return
        added = self._custom + self._cors.headers(headers)
        try:
            answer = await self._answer(request, exchange, added)
        except BrokenOffError:
            log.info("%s %s was broken off by its client, no function is called", request.method, request.path)
            return
        _send(exchange, answer, added)

    async def _answer(self, request: Request, exchange: Exchange, added: Headers) -> Answer:
        if not self.ready:
            return Answer(503, [("content-type", "text/plain")], b"Function host is not running.")
        if request.path.lower().startswith("/admin/"):
            body = await _body(exchange, request.headers, self._limits.body_bytes)
            return await self._admin.answer(request.method, request.path, request.key, body or b"")
        found = self._found(request)
        if found is None:
            return self._home() if request.path == "/" else empty(404)
        function, trigger, values = found
        refusal = self._refusal(function, trigger, request)
        return refusal or await self._run(function, request, values, exchange, added)

    def _refusal(self, function: Function, trigger: HttpTrigger, request: Request) -> Answer | None:
        if function.disabled:
            return empty(404)
        if not self._keys.open(trigger.level, function.name, request.key):
            return empty(401)
        if self._limits.outstanding is not None and self._outstanding >= self._limits.outstanding:
            return empty(429)
        return None

    def _found(self, request: Request) -> tuple[Function, HttpTrigger, Mapping[str, str]] | None:
        """The first function, by name, whose route and methods fit; however general its route is."""
        for function, trigger in self._routes:
            if trigger.methods is None or request.method in trigger.methods:
                values = trigger.route.match(request.path)
                if values is not None:
                    return function, trigger, values
        return None

    def _home(self) -> Answer:
        return Answer(200, [("content-type", "text/html")], HOMEPAGE) if self._homepage else empty(204)

    async def _run(
        self, function: Function, request: Request, values: Mapping[str, str], exchange: Exchange, added: Headers
    ) -> Answer:
        self._outstanding += 1
        impatience = asyncio.get_running_loop().call_later(
            self._limits.answer_seconds, _give_up, exchange, added, function.name, self._limits.answer_seconds
        )
        try:
            body = await _body(exchange, request.headers, self._limits.body_bytes)
            if body is None:
                return empty(413)
            if "transfer-encoding" in request.headers and "content-length" not in request.headers:
                log.warning(
                    "%s %s is sent in chunks, without Content-Length: the function gets no body",
                    request.method,
                    request.path,
                )
            if self._free:
                async with self._free:
                    return await self._called(function, request, values, body)
            return await self._called(function, request, values, body)
        finally:
            impatience.cancel()
            self._outstanding -= 1

    async def _called(self, function: Function, request: Request, values: Mapping[str, str], body: bytes) -> Answer:
        headers = request.headers
        query = f"?{request.query_text}" if request.query_text else ""
        http = Message(
            method=request.method,
            url=f"http://{headers.get('host', '')}{url_path(request.raw_path)}{query}",
            headers=headers,
            query=request.query,
            params=values,
            body=TypedData(bytes=body) if body else NO_BYTES,
        )
        result = await self._invocations.run(
            function,
            ParameterBinding(function.parameter, TypedData(http=http)),
            Occasion(
                "This function was called over HTTP.",
                trace_parent=headers.get("traceparent"),
                trace_state=headers.get("tracestate", ""),
            ),
        )
        if not result.succeeded:
            return empty(500)
        try:
            return answer_of(result.return_value)
        except (ValueError, TypeError, AttributeError) as fault:
            log.error("the answer of function '%s' cannot be sent: %s", function.name, fault)
            return empty(500)


def _give_up(exchange: Exchange, added: Headers, function: str, seconds: float) -> None:
    """The front end's answer, after too long a wait; the function goes on, and nobody hears what it gives."""
    if not exchange.answered:
        log.error("function '%s' did not answer within %g s: Azure's front end gives up then", function, seconds)
        _send(exchange, empty(504), added)


async def _body(exchange: Exchange, headers: Mapping[str, str], most: int) -> bytes | None:
    """The body, None if it is longer than `most`; without Content-Length there is none, whatever is sent."""
    length = headers.get("content-length", "")
    if not length.isdecimal():
        return b""
    if int(length) > most:
        return None
    return await exchange.body(most)


def _send(exchange: Exchange, answer: Answer, added: Headers | None = None) -> None:
    exchange.answer(answer.status, answer.headers + added if added else answer.headers, answer.body)
