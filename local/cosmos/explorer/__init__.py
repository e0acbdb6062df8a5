"""A page for the browser: databases, containers, items and queries, read over the server's own protocol."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from local.cosmos.wire import Answer, Request

_FILES = {
    "": ("page.html", "text/html; charset=utf-8"),
    "explorer.js": ("explorer.js", "text/javascript; charset=utf-8"),
}


def page_for(request: Request) -> Answer | None:
    """The page or its script, for a browser that asks for them; None for a request of a client of the service."""
    if request.method != "GET" or b"authorization" in request.headers:
        return None
    if not request.segments:
        return _file("") if "text/html" in (request.header(b"accept") or "") else None
    if len(request.segments) == 2 and request.segments[0] == "_local" and request.segments[1] in _FILES:
        return _file(request.segments[1])
    return None


@cache
def _file(name: str) -> Answer:
    file, content_type = _FILES[name]
    return Answer(200, Path(__file__).with_name(file).read_bytes(), content_type=content_type)
