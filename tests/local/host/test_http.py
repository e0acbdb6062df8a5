"""The HTTP side by itself, where its limits can be made short."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message as AsgiMessage

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


async def called(http: HttpSide, path: str) -> list[AsgiMessage]:
    sent: list[AsgiMessage] = []

    async def send(message: AsgiMessage) -> None:
        sent.append(message)

    async def receive() -> AsgiMessage:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "raw_path": path.encode(), "query_string": b"", "headers": []}
    await http(scope, receive, send)
    return sent


async def test_after_the_front_ends_time_it_answers_and_the_function_goes_on() -> None:
    held = Held()
    http = side(held, answer_seconds=0.01)
    http.ready = True
    sent: list[AsgiMessage] = []
    answered = asyncio.Event()

    async def send(message: AsgiMessage) -> None:
        sent.append(message)
        if message["type"] == "http.response.body":
            answered.set()

    async def receive() -> AsgiMessage:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "raw_path": b"/api/f", "query_string": b"", "headers": []}
    call = asyncio.create_task(http(scope, receive, send))
    await answered.wait()
    assert sent[0]["status"] == 504
    assert not held.ended.is_set()
    held.go_on.set()
    await call
    assert held.ended.is_set()
    assert len(sent) == 2


@pytest.mark.parametrize("path", ["/api/f", "/", "/admin/host/status"])
async def test_before_it_is_ready_it_answers_503_with_one_line(path: str) -> None:
    start, body = await called(side(Held(), 1), path)
    assert start["status"] == 503
    assert body["body"] == b"Function host is not running."


async def test_the_homepage_can_be_switched_off() -> None:
    http = side(Held(), 1)
    http.ready = True
    start, body = await called(http, "/")
    assert (start["status"], body["body"]) == (204, b"")


@pytest.mark.parametrize("path", ["/api/%FF", "/api/%C3%28"])
async def test_a_path_that_is_not_utf8_is_a_400(path: str) -> None:
    assert (await called(side(Held(), 1), path))[0]["status"] == 400
