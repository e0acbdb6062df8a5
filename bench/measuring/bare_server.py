"""A bare Starlette application that repeats what a Cosmos server answered, after one SQLite read or write or none.

`python -m bench.measuring.bare_server URL [DIR]`. What it has no answer for it asks the server at URL, and remembers.
"""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import sys
from pathlib import Path

import httpx
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.lifeline import end_with_parent

METHODS = ("GET", "POST", "PUT", "DELETE")
_OF_THE_TRANSFER = ("content-length", "content-encoding", "transfer-encoding", "date", "connection", "server")
# What tells apart two requests of one path that have different answers.
_TELLING = ("if-none-match", "x-ms-cosmos-is-batch-request", "x-ms-documentdb-isquery")
Key = tuple[str | None, ...]


class Repeater:
    """The application's one endpoint. `rows` is the database of the one read or write; None is to do neither."""

    def __init__(self, origin: str, rows: sqlite3.Connection | None) -> None:
        self._origin = httpx.AsyncClient(base_url=origin, trust_env=False)
        self._rows = rows
        self._answers: dict[Key, tuple[int, dict[str, str], bytes]] = {}

    async def answer(self, request: Request) -> Response:
        """What the server answered to the first request of this kind."""
        path = request.scope["raw_path"].decode()
        body = await request.body()
        key = (request.method, path, *(request.headers.get(name) for name in _TELLING))
        known = self._answers.get(key)
        if known is None:
            known = self._answers[key] = await self._asked(request, path, body)
        if self._rows is not None:
            if request.method == "GET":
                self._rows.execute("SELECT body FROM items WHERE id = ?", (path,)).fetchone()
            else:
                self._rows.execute("INSERT INTO items (id, body) VALUES (?, ?)", (path, body))
        status, headers, content = known
        return Response(content, status, headers)

    async def _asked(self, request: Request, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        headers = {name: value for name, value in request.headers.items() if name != "accept-encoding"}
        got = await self._origin.request(request.method, path, headers=headers, content=body)
        kept = {name: value for name, value in got.headers.items() if name not in _OF_THE_TRANSFER}
        if self._rows is not None:
            self._rows.execute("INSERT INTO items (id, body) VALUES (?, ?)", (path, got.content))
        return got.status_code, kept, got.content


def main() -> None:
    """Serve until the process ends."""
    end_with_parent()
    rows = None
    if len(sys.argv) > 2:
        rows = sqlite3.connect(Path(sys.argv[2]) / "bare.sqlite", isolation_level=None)
        rows.execute("PRAGMA journal_mode = WAL")
        rows.execute("PRAGMA synchronous = NORMAL")
        rows.execute("CREATE TABLE items (number INTEGER PRIMARY KEY, id TEXT, body BLOB)")
        rows.execute("CREATE INDEX items_id ON items (id)")
    repeater = Repeater(sys.argv[1], rows)
    application = Starlette(routes=[Route("/{path:path}", repeater.answer, methods=METHODS)])
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    config = uvicorn.Config(
        application, log_level="warning", access_log=False, server_header=False, timeout_keep_alive=600
    )
    print(f"ready http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]), loop_factory=uvloop.Loop)


if __name__ == "__main__":
    main()
