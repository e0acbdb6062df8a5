"""Sends the answer of a web server in one piece."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

_OF_THE_CONNECTION = frozenset((b"connection", b"transfer-encoding"))


def sent_at_once(send: Callable[..., Any], status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bool:
    """Write a whole answer in one piece; False where it has to go the web server's own way.

    That way looks through every header and writes twice, which costs more than most of what a local server does.
    """
    exchange = getattr(send, "__self__", None)
    if not isinstance(exchange, RequestResponseCycle) or exchange.response_started or exchange.disconnected:
        return False
    if exchange.flow.write_paused or not exchange.keep_alive or exchange.scope["method"] == "HEAD":
        return False
    lines = 1
    parts = [STATUS_LINE[status]]
    for name, value in (*exchange.default_headers, *headers):
        if name in _OF_THE_CONNECTION:
            return False
        parts += (name, b": ", value, b"\r\n")
        lines += 1
    parts.append(b"\r\n")
    head = b"".join(parts)
    if head.count(b"\n") != lines + 1 or head.count(b"\r") != lines + 1:
        return False  # a line end within a header, which the web server refuses
    exchange.response_started = exchange.response_complete = True
    exchange.waiting_for_100_continue = False
    exchange.transport.write(head + body)
    exchange.message_event.set()
    exchange.on_response()
    return True
