"""The HTTP side by itself, where its limits can be made short."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from local.host.admin import Admin
from local.host.cors import Cors
from local.host.http import HttpSide, Limits
from local.host.index import Function, HttpTrigger
from local.host.invocations import Invocations
from local.host.keys import Keys
from local.host.routes import Route
from local.host.settings import HostConfig, QueueOptions
from local.host.shapes import Message, ParameterBinding, RpcFunctionMetadata, TypedData
from local.host.storage import Connections
from local.host.worker import Occasion, Result, Worker
from local.http_server import HttpServer

CONFIG = HostConfig("api", None, None, {}, None, QueueOptions(1, 0, 5, 0, 1, base64=True), 60, 60, {})
FUNCTION = Function("f", RpcFunctionMetadata(), HttpTrigger(Route("api/f"), None, "anonymous"), "req", (), False, ())


class Held(Invocations):
    """Invocations that answer "done" when they are let go."""

    def __init__(self) -> None:
        super().__init__(Worker(None), Connections({}), base64=True)
        self.go_on, self.ended = asyncio.Event(), asyncio.Event()

    async def run(self, function: Function, parameter: ParameterBinding, occasion: Occasion) -> Result:
        await self.go_on.wait()
        self.ended.set()
        return Result(
            TypedData(http=Message(status_code="200", headers={}, cookies=None, body=TypedData(bytes=b"done")))
        )


def side(invocations: Invocations, answer_seconds: float) -> HttpSide:
    keys = Keys({}, enforced=True)
    limits = Limits(None, None, 100, answer_seconds)
    cors = Cors((), credentials=False)
    return HttpSide(
        [FUNCTION], invocations, keys, cors, Admin([FUNCTION], keys, "h", ""), CONFIG, limits, homepage=False
    )


@asynccontextmanager
async def served(http: HttpSide) -> AsyncIterator[httpx.AsyncClient]:
    server = HttpServer(http.handle, keep_alive_seconds=60)
    listening = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    await server.start(listening)
    try:
        async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
            yield client
    finally:
        await server.stop(1)


async def test_after_the_front_ends_time_it_answers_and_the_function_goes_on() -> None:
    held = Held()
    http = side(held, answer_seconds=0.01)
    http.ready = True
    async with served(http) as client:
        assert (await client.get("/api/f")).status_code == 504
        assert not held.ended.is_set()
        held.go_on.set()
        await asyncio.wait_for(held.ended.wait(), 5)
        assert (await client.get("/api/f")).text == "done"  # on the same connection, in which nothing else came


@pytest.mark.parametrize("path", ["/api/f", "/", "/admin/host/status"])
async def test_before_it_is_ready_it_answers_503_with_one_line(path: str) -> None:
    async with served(side(Held(), 1)) as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.text) == (503, "Function host is not running.")


async def test_the_homepage_can_be_switched_off() -> None:
    http = side(Held(), 1)
    http.ready = True
    async with served(http) as client:
        answer = await client.get("/")
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("path", ["/api/%FF", "/api/%C3%28"])
async def test_a_path_that_is_not_utf8_is_a_400(path: str) -> None:
    async with served(side(Held(), 1)) as client:
        assert (await client.get(path)).status_code == 400
