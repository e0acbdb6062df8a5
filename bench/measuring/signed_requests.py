"""Requests to a Cosmos account as bytes, signed beforehand, so that sending them costs next to nothing."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from typing import cast
from urllib.parse import quote

from local.cosmos.signature import EMULATOR_KEY

_SECRET = base64.b64decode(EMULATOR_KEY)
_END_OF_HEAD = b"\r\n\r\n"


def signed(
    method: str, path: str, *, signed_as: tuple[str, str], headers: Mapping[str, str], body: bytes = b""
) -> bytes:
    """A whole request; `signed_as` is the type and the link of its resource."""
    date = formatdate(usegmt=True)
    text = f"{method.lower()}\n{signed_as[0]}\n{signed_as[1]}\n{date.lower()}\n\n"
    signature = base64.b64encode(hmac.digest(_SECRET, text.encode(), hashlib.sha256)).decode()
    every = {
        "host": "127.0.0.1",
        "x-ms-version": "2020-07-15",
        "x-ms-date": date,
        "authorization": quote(f"type=master&ver=1.0&sig={signature}", safe=""),
        "content-length": str(len(body)),
        **headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in every.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body


class _Caller(asyncio.Protocol):
    """One connection that sends the next request when the answer to the last one is whole."""

    def __init__(self, requests: list[bytes], expected: bytes, done: asyncio.Future[None]) -> None:
        self._requests, self._expected, self._done = requests, expected, done
        self._received = b""
        self._sent_at = 0.0
        self.seconds: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's does not say that it is one

    def start(self) -> None:
        """Send the first request."""
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, rest = self._received.partition(_END_OF_HEAD)
        if not end or len(rest) < _length(head):
            return
        if not head.startswith(self._expected):
            self._fail(RuntimeError((head + rest[:500]).decode("utf-8", "replace")))
            return
        self.seconds.append(time.perf_counter() - self._sent_at)
        self._received = b""
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionResetError("the server has closed the connection"))

    def _send(self) -> None:
        if self._requests:
            self._sent_at = time.perf_counter()
            self._transport.write(self._requests.pop())
            return
        if not self._done.done():
            self._done.set_result(None)
        self._transport.close()

    def _fail(self, error: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(error)


async def send_all(port: int, requests: Sequence[bytes], status: int, at_once: int) -> tuple[float, list[float]]:
    """The seconds that all took over `at_once` connections, and those of each; RuntimeError for another answer."""
    loop = asyncio.get_running_loop()
    finished: list[asyncio.Future[None]] = []
    callers: list[_Caller] = []
    for number in range(at_once):
        done = loop.create_future()
        part = list(requests[number::at_once])

        def caller(part: list[bytes] = part, done: asyncio.Future[None] = done) -> _Caller:
            return _Caller(part, f"HTTP/1.1 {status}".encode(), done)

        _, protocol = await loop.create_connection(caller, "127.0.0.1", port)
        callers.append(protocol)
        finished.append(done)
    began = time.perf_counter()
    for one in callers:
        one.start()
    await asyncio.gather(*finished)
    return time.perf_counter() - began, [seconds for one in callers for seconds in one.seconds]


def _length(head: bytes) -> int:
    start = head.lower().find(b"content-length:")
    return 0 if start < 0 else int(head[start + 15 :].split(b"\r\n", 1)[0])
