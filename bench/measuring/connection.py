"""One HTTP/1.1 connection that is kept alive and does next to nothing itself: what is timed is the server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

LIMIT_BYTES = 1024 * 1024
_NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server answered; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """A connection to 127.0.0.1; one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: str) -> None:
        self._reader, self._writer, self._headers = reader, writer, headers

    @classmethod
    async def to(cls, port: int, token: str) -> Connection:
        """A connection whose requests carry `token` and FHIR's content type."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=LIMIT_BYTES)
        headers = (
            f"host: 127.0.0.1:{port}\r\nauthorization: Bearer {token}\r\n"
            "accept: application/fhir+json\r\ncontent-type: application/fhir+json\r\n"
        )
        return cls(reader, writer, headers)

    async def send(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = _NO_HEADERS) -> Reply:
        """The answer to a request for `path` under /api/fhir."""
        own = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"{method} /api/fhir/{path} HTTP/1.1\r\n{self._headers}{own}content-length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        answered = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:-2])}
        length = int(answered.get("content-length", "0"))
        content = await self._reader.readexactly(length) if length else b""
        return Reply(int(lines[0].split(" ", 2)[1]), answered, content)

    async def expect(
        self, status: int, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = _NO_HEADERS
    ) -> Reply:
        """As `send`; raises RuntimeError with the answer where it has another status."""
        reply = await self.send(method, path, body, headers)
        if reply.status != status:
            raise RuntimeError(f"{method} {path}: {reply.status} {reply.body[:1000].decode('utf-8', 'replace')}")
        return reply

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        await self._writer.wait_closed()
