"""A small HTTP/1.1 server: hands each request to one coroutine function and sends its answer in one piece.

llhttp parses; what is here is what a local server needs beside it, and nothing between a request and its handler.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from contextvars import copy_context
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import cast

import httptools

Handler = Callable[["Exchange"], Awaitable[None]]

_MOST_HEAD_BYTES = 64 * 1024  # of what comes after the piece, as long at most, in which a head begins
_MOST_UNREAD_BYTES = 1024 * 1024
_BACKLOG = 2048
_LOOK_FOR_IDLE_SECONDS = 1.0
_WITHOUT_BODY = frozenset((204, 304))
_STATUS_LINES = {one.value: f"HTTP/1.1 {one.value} {one.phrase}" for one in HTTPStatus}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_TEXT = ("content-type", "text/plain; charset=utf-8")
_LOG = logging.getLogger("local.http_server")


class BrokenOffError(Exception):
    """Not all of the request has come, and no more of it will."""


class TooLargeError(Exception):
    """The body is longer than the handler takes."""


class Exchange:
    """One request, and how it is answered.

    path, query  as they were sent, without the question mark between them
    headers      names in lower case, in the order in which they came
    keeps_alive  whether the connection stays open afterwards
    refusal      the answer to a request that cannot be read: status and text
    """

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._parts: list[bytes] = []
        self._size = 0
        self._waiting: asyncio.Future[None] | None = None
        self.method, self.path, self.query = "", b"", b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.keeps_alive = True
        self.whole = self.broken_off = self.answered = self.gone = self._is_read = False
        self.refusal: tuple[int, bytes] | None = None

    async def body(self, most: int) -> bytes:
        """All of it. Raises TooLargeError as soon as there are more than `most` bytes, and BrokenOffError.

        To be asked for before the answer: afterwards what comes is dropped.
        """
        if not self.whole:
            if not self._parts and any(name == b"expect" and b"100" in value for name, value in self.headers):
                self._connection.transport.write(_CONTINUE)
            self._is_read = True
            self._connection.look_whether_to_read()
        while True:
            if self._size > most:
                raise TooLargeError
            if self.whole and not self.answered:
                return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
            if self.broken_off or self.answered:
                raise BrokenOffError
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting

    def answer(self, status: int, headers: Iterable[tuple[str, str]], body: bytes = b"") -> None:
        """Send it with its length, unless the client is gone or has been answered before.

        Raises ValueError for a header with a line end in it; what is not Latin-1 becomes a question mark.
        """
        if self.answered or self.gone:
            return
        lines = [_STATUS_LINES.get(status) or f"HTTP/1.1 {status} ", _date_line(int(time.time()))]
        lines += [f"{name}: {value}" for name, value in headers]
        if status not in _WITHOUT_BODY:
            lines.append(f"content-length: {len(body)}")
        if self._connection.closes_after(self):
            lines.append("connection: close")
        text = "\r\n".join(lines)
        if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
            raise ValueError("a header of the answer has a line end in it")
        head = f"{text}\r\n\r\n".encode("latin-1", "replace")
        self.answered = True
        self._parts.clear()
        self._wake()
        has_body = status not in _WITHOUT_BODY and self.method != "HEAD"
        self._connection.transport.write(head + body if has_body else head)
        self._connection.go_on()

    @property
    def is_full(self) -> bool:
        """Whether so much of its body waits for the handler that the rest has to wait with the client."""
        return self._size > _MOST_UNREAD_BYTES and not (self._is_read or self.answered)

    def cut(self) -> None:
        """Drop the connection, without an answer."""
        self.gone = True
        self._connection.transport.abort()

    def take(self, part: bytes) -> None:
        """A further piece of the body has come."""
        if not self.answered:  # afterwards nobody reads it
            self._parts.append(part)
            self._size += len(part)
            self._wake()

    def end(self, *, whole: bool) -> None:
        """Nothing more of the request comes."""
        if whole:
            self.whole = True
        else:
            self.broken_off = True
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class _Connection(asyncio.Protocol):
    """Reads requests, and has each one begun when the one before it is answered."""

    def __init__(self, server: HttpServer) -> None:
        self._server = server
        self._parser = httptools.HttpRequestParser(self)
        self._exchanges: deque[Exchange] = deque()  # the first one is being answered
        self._receiving = Exchange(self)
        self._target = b""
        self._is_in_head, self._head_bytes = False, 0
        self._may_write = self._reads = True
        self._is_broken = False
        self.active_at = time.monotonic()
        self.transport: asyncio.Transport

    @property
    def is_idle(self) -> bool:
        return not self._exchanges

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's does not say that it is one
        self._server.connections.add(self)
        if self._server.is_stopping:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.unanswered -= len(self._exchanges)
        for exchange in self._exchanges:
            exchange.gone = True
            exchange.end(whole=False)
        self._exchanges.clear()
        self._server.lost(self)

    def data_received(self, data: bytes) -> None:
        self.active_at = time.monotonic()
        for start in range(0, len(data), _MOST_HEAD_BYTES):
            if not self._is_broken:
                self._take(data[start : start + _MOST_HEAD_BYTES])

    def _take(self, data: bytes) -> None:
        head = self._receiving if self._is_in_head else None
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self._refuse(400, b"The request is not valid HTTP.")
        if self._is_in_head and head is self._receiving:  # all of this belongs to a head that has not ended yet
            self._head_bytes += len(data)
            if self._head_bytes >= _MOST_HEAD_BYTES:
                self._refuse(431, b"The head of the request has more than 64 KiB.")

    def _parse(self, data: bytes) -> None:
        while True:
            try:
                self._parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                # Another protocol is offered, and not taken up: what was sent is read once more without the offer.
                self._parser = httptools.HttpRequestParser(self)
                data = self._head_without_offer() + data[upgrade.args[0] :]

    def _head_without_offer(self) -> bytes:
        sent = self._receiving
        if sent.method == "CONNECT":
            raise httptools.HttpParserError("this server is no proxy")
        kept = [b"%b: %b\r\n" % header for header in sent.headers if header[0] not in (b"upgrade", b"connection")]
        if any(name == b"connection" and b"close" in value.lower() for name, value in sent.headers):
            kept.append(b"connection: close\r\n")
        return b"%b %b HTTP/1.1\r\n%b\r\n" % (sent.method.encode(), self._target, b"".join(kept))

    def eof_received(self) -> bool:
        """The client sends nothing more; over TCP it may still read."""
        if not self._exchanges or self.transport.get_extra_info("sslcontext") is not None:
            return False
        last = self._exchanges[-1]
        last.keeps_alive = False
        if not last.whole:
            last.end(whole=False)
        return True

    def pause_writing(self) -> None:
        self._may_write = False

    def resume_writing(self) -> None:
        self._may_write = True
        if self._exchanges and self._exchanges[0].answered:
            self.go_on()

    def go_on(self) -> None:
        """The first request is answered: begin with the next one, or close."""
        if not self._may_write:
            return  # what a client asks that does not read can wait
        answered = self._exchanges.popleft()
        self._server.unanswered -= 1
        if self.closes_after(answered):
            self.transport.close()
            return
        if self._exchanges:
            self._server.begin(self._exchanges[0])
        if not self._reads:
            self.look_whether_to_read()

    def closes_after(self, exchange: Exchange) -> bool:
        """Whether the answer to a request is the last one: its client or the server wants no more."""
        is_last = not self._exchanges or self._exchanges[-1] is exchange
        return not exchange.keeps_alive or (is_last and self._server.is_stopping)

    def look_whether_to_read(self) -> None:
        """Read on where there is no more than one request, and its body is waited for."""
        reads = len(self._exchanges) < 2 and not (self._exchanges and self._exchanges[0].is_full)
        if reads != self._reads:
            self._reads = reads
            if reads:
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()

    def _refuse(self, status: int, text: bytes) -> None:
        """Answer what cannot be read, and read nothing more."""
        self._is_broken, self._is_in_head = True, False
        if self._receiving.answered and not self._receiving.whole:
            self.transport.close()  # it is the rest of a request that has its answer
            return
        if not self._exchanges or self._exchanges[-1].whole:
            self._add(Exchange(self))
        broken = self._exchanges[-1]
        broken.keeps_alive = False
        broken.refusal = status, text
        broken.end(whole=False)

    def _add(self, exchange: Exchange) -> None:
        self._exchanges.append(exchange)
        self._server.unanswered += 1
        if len(self._exchanges) == 1:
            self._server.begin(exchange)
        else:
            self.look_whether_to_read()

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._receiving, self._target = Exchange(self), b""
        self._is_in_head, self._head_bytes = True, 0

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_in_head:  # what comes after the chunks of a body is nobody's to read
            self._receiving.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        exchange = self._receiving
        exchange.method = self._parser.get_method().decode()
        exchange.path, _, exchange.query = _origin_form(self._target).partition(b"?")
        exchange.keeps_alive = self._parser.should_keep_alive() and self._parser.get_http_version() != "1.0"
        self._is_in_head = False
        if not self._parser.should_upgrade():
            self._add(exchange)

    def on_body(self, body: bytes) -> None:
        self._receiving.take(body)
        if self._receiving.is_full:
            self.look_whether_to_read()

    def on_message_complete(self) -> None:
        self._receiving.end(whole=True)


class HttpServer:
    """Serves one handler until it is stopped.

    unanswered  how many requests wait for an answer at this time
    """

    def __init__(self, handler: Handler, keep_alive_seconds: float) -> None:
        self._handler, self._keep_alive_seconds = handler, keep_alive_seconds
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        self._context = copy_context()  # no request finds what another has set
        self._listening: asyncio.Server
        self._watch: asyncio.Task[None]
        self.connections: set[_Connection] = set()
        self.unanswered = 0
        self.is_stopping = False

    async def start(self, listening: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Accept connections from now on."""
        self._listening = await self._loop.create_server(
            lambda: _Connection(self), sock=listening, backlog=_BACKLOG, ssl=tls
        )
        self._watch = asyncio.create_task(self._close_idle())

    async def stop(self, grace_seconds: float) -> int:
        """Accept nothing more, and give what runs so long to end; how many requests are cut off then."""
        self.is_stopping = True
        self._listening.close()
        self._watch.cancel()
        for connection in list(self.connections):
            if connection.is_idle:
                connection.transport.close()
        self._look_whether_ended()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), grace_seconds)
        for connection in list(self.connections):
            connection.transport.abort()
        cut_off = list(self._tasks)
        for task in cut_off:
            task.cancel()
        await asyncio.gather(*cut_off, return_exceptions=True)
        return len(cut_off)

    def lost(self, connection: _Connection) -> None:
        """It is closed."""
        self.connections.discard(connection)
        self._look_whether_ended()

    def begin(self, exchange: Exchange) -> None:
        """Handle it in the next turn of the event loop, when all that has come with it is read."""
        self._loop.call_soon(self._start, exchange, context=self._context)

    def _start(self, exchange: Exchange) -> None:
        task = asyncio.Task(self._handle(exchange), loop=self._loop, eager_start=True)
        if not task.done():
            self._tasks.add(task)
            task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._look_whether_ended()

    def _look_whether_ended(self) -> None:
        if self.is_stopping and not self.connections and not self._tasks:
            self._ended.set()

    async def _handle(self, exchange: Exchange) -> None:
        try:
            if exchange.refusal is None:
                await self._handler(exchange)
        except Exception:
            _LOG.exception("%s %s failed", exchange.method, exchange.path.decode("ascii", "replace"))
        status, text = exchange.refusal or (500, b"Internal Server Error")
        exchange.answer(status, [_TEXT], text)

    async def _close_idle(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_FOR_IDLE_SECONDS)
            before = time.monotonic() - self._keep_alive_seconds
            for connection in list(self.connections):
                if connection.is_idle and connection.active_at < before:
                    connection.transport.close()


def _origin_form(target: bytes) -> bytes:
    """The path and the query of a target that may be a whole url, as it is sent to a proxy."""
    if target.startswith(b"/"):
        return target
    _, found, rest = target.partition(b"://")
    start = min((place for place in (rest.find(b"/"), rest.find(b"?")) if place >= 0), default=len(rest))
    return b"/" + rest[start:].removeprefix(b"/") if found else target


@lru_cache(maxsize=2)
def _date_line(second: int) -> str:
    return f"date: {formatdate(second, usegmt=True)}"
