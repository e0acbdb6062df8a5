"""The HTTP protocol of the web server, with a way to cut a connection in the middle of a request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_TRANSPORT = "transport"


_unanswered: set[CuttableProtocol] = set()


class CuttableProtocol(HttpToolsProtocol):
    """Tells the application by which connection a request came, and how many wait for an answer."""

    def on_message_begin(self) -> None:
        """Where the web server makes the scope of a request."""
        super().on_message_begin()
        self.scope["state"][_TRANSPORT] = self.transport
        _unanswered.add(self)

    def on_response_complete(self) -> None:
        """Where the web server turns to the next request of the connection."""
        _unanswered.discard(self)
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Where a connection ends, answered or not."""
        _unanswered.discard(self)
        super().connection_lost(exc)


def is_alone() -> bool:
    """Whether at most one connection waits for an answer."""
    return len(_unanswered) <= 1


async def cut(scope: MutableMapping[str, Any], receive: Callable[[], Awaitable[MutableMapping[str, Any]]]) -> None:
    """Drop the connection of a request without an answer; returns when the web server knows that it is gone."""
    scope["state"][_TRANSPORT].abort()
    while (await receive())["type"] != "http.disconnect":
        pass
