"""The HTTP protocol of the web server, with a way to cut a connection in the middle of a request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_TRANSPORT = "transport"


class CuttableProtocol(HttpToolsProtocol):
    """Tells the application by which connection a request came."""

    def on_message_begin(self) -> None:
        """Where the web server makes the scope of a request."""
        super().on_message_begin()
        self.scope["state"][_TRANSPORT] = self.transport


async def cut(scope: MutableMapping[str, Any], receive: Callable[[], Awaitable[MutableMapping[str, Any]]]) -> None:
    """Drop the connection of a request without an answer; returns when the web server knows that it is gone."""
    scope["state"][_TRANSPORT].abort()
    while (await receive())["type"] != "http.disconnect":
        pass
