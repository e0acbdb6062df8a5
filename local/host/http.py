"""The HTTP side of the host: an ASGI app that finds the function for a request, lets it in, and sends what it gave."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from local.answers import sent_at_once
from local.host.admin import Admin
from local.host.cors import Cors
from local.host.http_messages import (
    WITHOUT_LENGTH,
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

LONGEST_URL, LONGEST_QUERY = 8192, 4096
FRONT_END_SECONDS = 230
NO_BYTES = TypedData(bytes=b"")
HOMEPAGE = b"<!doctype html><title>Functions</title><p>Your function app is up and running.</p>\n"
log = logging.getLogger("Host.General")


class ClientGoneError(Exception):
    """The client went away before all of its request was here."""


@dataclass(slots=True)
class Limits:
    """How much may go on at a time (None: no limit), and what a request may bring and take."""

    concurrent: int | None
    outstanding: int | None
    body_bytes: int
    answer_seconds: float = FRONT_END_SECONDS


@dataclass(frozen=True, slots=True)
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
    """The ASGI app."""

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
        self._custom: Headers = [
            (name.lower().encode(), value.encode()) for name, value in config.custom_headers.items()
        ]
        self._limits, self._homepage = limits, homepage
        self._free = asyncio.Semaphore(limits.concurrent) if limits.concurrent else None
        self._outstanding = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.ready = False

    async def ended(self, within_seconds: float) -> None:
        """Wait until no function runs for a request, or the time is up."""
        try:
            await asyncio.wait_for(self._idle.wait(), within_seconds)
        except TimeoutError:
            log.warning("%d requests are cut off: they did not end within %g s", self._outstanding, within_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"there is no {scope['type']} here")
        raw_path, query = scope["raw_path"].partition(b"?")[0], scope["query_string"]
        if len(raw_path) + len(query) + 1 > LONGEST_URL or len(query) > LONGEST_QUERY:
            await _send(send, empty(414))
            return
        try:
            headers = header_values(scope["headers"])
            path, query_text = decoded_path(raw_path), query.decode()
        except UnicodeDecodeError:
            await _send(send, empty(400))
            return
        request = Request(scope["method"], path, raw_path, query_text, headers, query_values(query_text))
        preflight = self._cors.preflight(request.method, headers)
        if preflight:
            await _send(send, preflight)
            return
        await self._answer(request, receive, _Sender(send, self._custom + self._cors.headers(headers)))

    async def _answer(self, request: Request, receive: Receive, sender: _Sender) -> None:
        if not self.ready:
            await sender.send(Answer(503, [(b"content-type", b"text/plain")], b"Function host is not running."))
            return
        if request.path.lower().startswith("/admin/"):
            try:
                body = await _body(receive, request.headers, self._limits.body_bytes)
            except ClientGoneError:
                return
            await sender.send(await self._admin.answer(request.method, request.path, request.key, body or b""))
            return
        found = self._found(request)
        if found is None:
            await sender.send(self._home() if request.path == "/" else empty(404))
            return
        function, trigger, values = found
        if function.disabled:
            await sender.send(empty(404))
        elif not self._keys.open(trigger.level, function.name, request.key):
            await sender.send(empty(401))
        elif self._limits.outstanding is not None and self._outstanding >= self._limits.outstanding:
            await sender.send(empty(429))
        else:
            await self._run(function, request, values, receive, sender)

    def _found(self, request: Request) -> tuple[Function, HttpTrigger, Mapping[str, str]] | None:
        """The first function, by name, whose route and methods fit; however general its route is."""
        for function, trigger in self._routes:
            if trigger.methods is None or request.method in trigger.methods:
                values = trigger.route.match(request.path)
                if values is not None:
                    return function, trigger, values
        return None

    def _home(self) -> Answer:
        return Answer(200, [(b"content-type", b"text/html")], HOMEPAGE) if self._homepage else empty(204)

    async def _run(
        self, function: Function, request: Request, values: Mapping[str, str], receive: Receive, sender: _Sender
    ) -> None:
        self._outstanding += 1
        self._idle.clear()
        impatience = asyncio.get_running_loop().call_later(
            self._limits.answer_seconds, sender.give_up, function.name, self._limits.answer_seconds
        )
        try:
            body = await _body(receive, request.headers, self._limits.body_bytes)
            if body is None:
                await sender.send(empty(413))
                return
            if "transfer-encoding" in request.headers and "content-length" not in request.headers:
                log.warning(
                    "%s %s is sent in chunks, without Content-Length: the function gets no body",
                    request.method,
                    request.path,
                )
            if self._free:
                async with self._free:
                    answer = await self._called(function, request, values, body)
            else:
                answer = await self._called(function, request, values, body)
            await sender.send(answer)
        except ClientGoneError:
            log.info("%s %s was broken off by its client, no function is called", request.method, request.path)
        finally:
            impatience.cancel()
            self._outstanding -= 1
            if not self._outstanding:
                self._idle.set()

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


class _Sender:
    """Sends one answer: the function's, or after too long a wait the front end's."""

    def __init__(self, send: Send, added: Headers) -> None:
        self._send, self._added = send, added
        self._sent = False
        self._late: asyncio.Task[None] | None = None

    async def send(self, answer: Answer) -> None:
        if self._sent:
            return
        self._sent = True
        await _send(self._send, answer, self._added)

    def give_up(self, function: str, seconds: float) -> None:
        if not self._sent:
            log.error("function '%s' did not answer within %g s: Azure's front end gives up then", function, seconds)
            self._late = asyncio.ensure_future(self.send(empty(504)))


async def _body(receive: Receive, headers: Mapping[str, str], most: int) -> bytes | None:
    """The body, None if it is longer than `most`; without Content-Length there is none, whatever is sent."""
    length = headers.get("content-length", "")
    if not length.isdecimal():
        return b""
    if int(length) > most:
        return None
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _send(send: Send, answer: Answer, added: Sequence[tuple[bytes, bytes]] = ()) -> None:
    headers, body = [*answer.headers, *added], answer.body
    if answer.status in WITHOUT_LENGTH:
        body = b""
    else:
        headers.append((b"content-length", b"%d" % len(body)))
        if sent_at_once(send, answer.status, headers, body):
            return
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
