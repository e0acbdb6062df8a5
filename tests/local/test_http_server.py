"""The web server of the functions host and of the Cosmos server, byte by byte."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar

import pytest

from local.http_server import BrokenOffError, Exchange, HttpServer, TooLargeError

MOST = 1000
VARIABLE = ContextVar("VARIABLE", default="nothing")
LARGE = b"x" * 4_000_000


class Server:
    """A server that answers what it was sent; `seen` says of each request what came of it."""

    def __init__(self) -> None:
        self.seen: list[object] = []
        self.go_on, self.reached = asyncio.Event(), asyncio.Event()
        self.http = HttpServer(self.handle, keep_alive_seconds=0.5)
        self.port = 0

    async def start(self) -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        await self.http.start(listening)

    async def handle(self, exchange: Exchange) -> None:
        path = exchange.path
        if path == b"/refused":
            exchange.answer(413, [])
        elif path == b"/fails":
            raise RuntimeError("on purpose")
        elif path == b"/held":
            self.reached.set()
            await self.go_on.wait()
            exchange.answer(200, [], b"held")
        elif path == b"/empty":
            exchange.answer(204, [("x", "1")], b"never sent")
        elif path == b"/split":
            exchange.answer(200, [("x", "1\r\nset-cookie: a=b")])
        elif path == b"/large":
            exchange.answer(200, [], LARGE)
        elif path == b"/cut":
            exchange.cut()
        elif path == b"/late":
            await self._answered_early(exchange)
        elif path == b"/variable":
            before, after = VARIABLE.get(), exchange.query.decode()
            VARIABLE.set(after)
            exchange.answer(200, [], before.encode())
        else:
            await self._echo(exchange)

    async def _answered_early(self, exchange: Exchange) -> None:
        waiting = asyncio.create_task(exchange.body(MOST))
        await asyncio.sleep(0)
        exchange.answer(504, [])
        try:
            self.seen.append(await waiting)
        except BrokenOffError:
            self.seen.append(BrokenOffError)

    async def _echo(self, exchange: Exchange) -> None:
        try:
            body = await exchange.body(MOST)
        except (TooLargeError, BrokenOffError) as error:
            self.seen.append(type(error))
            self.reached.set()
            exchange.answer(413, [])
            return
        self.seen.append(exchange.headers)
        exchange.answer(200, [("x-query", exchange.query.decode())], exchange.path + b" " + body)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    await server.start()
    yield server
    await server.http.stop(0.1)


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self, *, has_body: bool = True) -> tuple[int, dict[bytes, bytes], bytes]:
        """Status, headers and body of the next answer."""
        head = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 5)
        status, *lines = head.rstrip().split(b"\r\n")
        headers = dict(line.split(b": ", 1) for line in lines)
        length = int(headers.get(b"content-length", b"0")) if has_body else 0
        return int(status.split()[1]), headers, await asyncio.wait_for(self._reader.readexactly(length), 5)

    async def rest(self) -> bytes:
        """Everything until the server closes."""
        return await asyncio.wait_for(self._reader.read(), 5)


Connect = Callable[[], Awaitable[Client]]


@pytest.fixture
async def connect(server: Server) -> AsyncIterator[Connect]:
    clients: list[Client] = []

    async def connected() -> Client:
        clients.append(Client(*await asyncio.open_connection("127.0.0.1", server.port)))
        return clients[-1]

    yield connected
    for client in clients:
        client.writer.close()


async def test_requests_of_one_connection_are_answered_in_order(connect: Connect) -> None:
    client = await connect()
    client.send(
        b"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\nPOST /b HTTP/1.1\r\nContent-Length: 2\r\n\r\nhiGET /c HTTP/1.1\r\n\r\n"
    )
    status, headers, body = await client.answer()
    assert (status, body, headers[b"x-query"]) == (200, b"/a ", b"b=c")
    assert headers.keys() == {b"date", b"x-query", b"content-length"}
    assert (await client.answer())[2] == b"/b hi"
    assert (await client.answer())[2] == b"/c "


async def test_a_request_in_pieces_is_one_request(server: Server, connect: Connect) -> None:
    client = await connect()
    for byte in b"POST /a HTTP/1.1\r\nX-Name: value\r\nContent-Length: 3\r\n\r\nabc":
        client.send(bytes((byte,)))
        await asyncio.sleep(0)
    assert (await client.answer())[2] == b"/a abc"
    assert server.seen == [[(b"x-name", b"value"), (b"content-length", b"3")]]


async def test_the_body_of_a_request_that_had_to_wait_arrives(server: Server, connect: Connect) -> None:
    client = await connect()
    client.send(b"GET /held HTTP/1.1\r\n\r\nPOST /b HTTP/1.1\r\nContent-Length: 4\r\n\r\nab")
    await asyncio.wait_for(server.reached.wait(), 5)
    client.send(b"cdGET /c HTTP/1.1\r\n\r\n")
    await asyncio.sleep(0.02)
    server.go_on.set()
    assert [(await client.answer())[2] for _ in range(3)] == [b"held", b"/b abcd", b"/c "]


async def test_a_body_that_nobody_reads_waits_with_the_client(server: Server, connect: Connect) -> None:
    client = await connect()
    client.send(b"POST /held HTTP/1.1\r\nContent-Length: 50000000\r\n\r\n" + b"x" * 50_000_000)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.writer.drain(), 0.3)
    server.go_on.set()
    assert (await client.answer())[2] == b"held"
    client.send(b"GET /next HTTP/1.1\r\n\r\n")
    assert (await client.answer())[2] == b"/next "


async def test_what_comes_after_the_chunks_is_no_header(server: Server, connect: Connect) -> None:
    client = await connect()
    client.send(b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nAuthorization: x\r\n\r\n")
    assert (await client.answer())[2] == b"/a a"
    assert server.seen == [[(b"transfer-encoding", b"chunked")]]


async def test_a_client_that_has_ended_its_side_is_still_answered(server: Server, connect: Connect) -> None:
    client = await connect()
    client.send(b"GET /held HTTP/1.1\r\n\r\n")
    client.writer.write_eof()
    await asyncio.wait_for(server.reached.wait(), 5)
    await asyncio.sleep(0.02)
    server.go_on.set()
    assert (await client.answer())[2] == b"held"
    assert await client.rest() == b""


async def test_a_body_in_chunks_is_put_together(connect: Connect) -> None:
    client = await connect()
    client.send(b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
    client.send(b"1\r\nc\r\n0\r\n\r\n")
    assert (await client.answer())[2] == b"/a abc"


async def test_a_client_that_asks_first_is_told_to_go_on(connect: Connect) -> None:
    client = await connect()
    client.send(b"POST /a HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\n")
    assert (await client.answer())[0] == 100
    client.send(b"abc")
    assert (await client.answer())[2] == b"/a abc"


async def test_a_client_that_asks_first_may_be_refused(connect: Connect) -> None:
    client = await connect()
    client.send(b"POST /refused HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    assert (await client.answer())[0] == 413


async def test_a_body_beyond_the_limit_is_refused_before_its_end_and_the_next_request_answered(
    server: Server, connect: Connect
) -> None:
    client = await connect()
    client.send(b"POST /a HTTP/1.1\r\nContent-Length: 2000\r\n\r\n" + b"x" * (MOST + 1))
    assert (await client.answer())[0] == 413
    assert server.seen == [TooLargeError]
    client.send(b"x" * (2000 - MOST - 1) + b"GET /next HTTP/1.1\r\n\r\n")
    assert (await client.answer())[2] == b"/next "


async def test_a_client_that_goes_in_the_middle_of_its_request_is_noticed(server: Server, connect: Connect) -> None:
    client = await connect()
    client.send(b"POST /a HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc")
    await client.writer.drain()
    client.writer.close()
    await asyncio.wait_for(server.reached.wait(), 5)
    assert server.seen == [BrokenOffError]
    assert server.http.unanswered == 0


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET /a HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST /a HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST /a HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /a HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_a_400_and_the_end(server: Server, connect: Connect, sent: bytes) -> None:
    client = await connect()
    client.send(sent + b"GET /b HTTP/1.1\r\n\r\n")
    status, headers, body = await client.answer()
    assert (status, headers[b"connection"], body) == (400, b"close", b"The request is not valid HTTP.")
    assert await client.rest() == b""
    assert server.seen == []


async def test_a_broken_chunk_is_a_400_for_the_request_it_belongs_to(server: Server, connect: Connect) -> None:
    client = await connect()
    client.send(b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
    await asyncio.sleep(0.02)
    client.send(b"rubbish\r\n")
    assert (await client.answer())[0] in (400, 413)
    assert await client.rest() == b""
    assert server.seen == [BrokenOffError]


async def test_what_came_before_the_rubbish_is_answered(connect: Connect) -> None:
    client = await connect()
    client.send(b"GET /a HTTP/1.1\r\n\r\nrubbish\r\n\r\n")
    assert (await client.answer())[2] == b"/a "
    assert (await client.answer())[0] == 400
    assert await client.rest() == b""


@pytest.mark.parametrize(("size", "count"), [(1000, 67), (200_000, 1)])
async def test_a_head_that_is_too_long_is_a_431(connect: Connect, size: int, count: int) -> None:
    client = await connect()
    client.send(b"GET /a HTTP/1.1\r\nX: ")
    for _ in range(count):
        client.send(b"y" * size)
        await asyncio.sleep(0.001)
    status, _, body = await client.answer()
    assert (status, body) == (431, b"The head of the request has more than 64 KiB.")
    assert await client.rest() == b""


async def test_a_head_request_gets_the_length_and_no_body(connect: Connect) -> None:
    client = await connect()
    client.send(b"HEAD /abc HTTP/1.1\r\n\r\n")
    status, headers, _ = await client.answer(has_body=False)
    assert (status, headers[b"content-length"]) == (200, b"5")
    client.send(b"GET /b HTTP/1.1\r\n\r\n")
    assert (await client.answer())[2] == b"/b "


async def test_a_204_has_neither_body_nor_length(connect: Connect) -> None:
    client = await connect()
    client.send(b"GET /empty HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n")
    status, headers, _ = await client.answer()
    assert status == 204
    assert headers.keys() == {b"date", b"x"}
    assert (await client.answer())[2] == b"/b "


@pytest.mark.parametrize("path", [b"/fails", b"/split"])
async def test_a_handler_that_fails_is_a_500_and_the_server_goes_on(connect: Connect, path: bytes) -> None:
    client = await connect()
    client.send(b"GET %b HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n" % path)
    status, headers, _ = await client.answer()
    assert status == 500
    assert b"set-cookie" not in headers
    assert (await client.answer())[2] == b"/b "


@pytest.mark.parametrize("request_head", [b"GET /a HTTP/1.0\r\n\r\n", b"GET /a HTTP/1.1\r\nConnection: close\r\n\r\n"])
async def test_a_client_that_wants_no_further_answer_is_left(connect: Connect, request_head: bytes) -> None:
    client = await connect()
    client.send(request_head)
    assert (await client.answer())[1][b"connection"] == b"close"
    assert await client.rest() == b""


@pytest.mark.parametrize("pieces", [1, 40])
async def test_an_offer_of_another_protocol_is_passed_over(server: Server, connect: Connect, pieces: int) -> None:
    client = await connect()
    head = b"POST /a?b HTTP/1.1\r\nX-Name: value\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    sent = head + b"Content-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\n\r\n"
    size = -(-len(sent) // pieces)
    for start in range(0, len(sent), size):
        client.send(sent[start : start + size])
        await asyncio.sleep(0.001)
    status, headers, body = await client.answer()
    assert (status, body, headers[b"x-query"]) == (200, b"/a abc", b"b")
    assert server.seen[0] == [(b"x-name", b"value"), (b"content-length", b"3")]
    assert (await client.answer())[2] == b"/b "


async def test_an_offer_does_not_hide_that_the_client_wants_no_more(connect: Connect) -> None:
    client = await connect()
    client.send(b"GET /a HTTP/1.1\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n")
    assert (await client.answer())[1][b"connection"] == b"close"
    assert await client.rest() == b""


async def test_what_only_a_proxy_does_is_refused(connect: Connect) -> None:
    client = await connect()
    client.send(b"CONNECT elsewhere:443 HTTP/1.1\r\nHost: elsewhere\r\n\r\n")
    assert (await client.answer())[0] == 400
    assert await client.rest() == b""


async def test_a_body_that_is_asked_for_after_the_answer_is_broken_off(server: Server, connect: Connect) -> None:
    client = await connect()
    client.send(b"POST /late HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc")
    assert (await client.answer())[0] == 504
    client.send(b"defGET /b HTTP/1.1\r\n\r\n")
    assert (await client.answer())[2] == b"/b "
    assert server.seen[0] is BrokenOffError


async def test_rubbish_after_an_early_answer_is_the_end(connect: Connect) -> None:
    client = await connect()
    client.send(b"POST /refused HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert (await client.answer())[0] == 413
    client.send(b"rubbish\r\n")
    assert await client.rest() == b""


async def test_a_head_after_a_large_body_is_no_long_head(connect: Connect) -> None:
    client = await connect()
    body = b"x" * 100_000
    client.send(b"POST /refused HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + body + b"GET /b HTTP/1.1\r\n")
    assert (await client.answer())[0] == 413
    await asyncio.sleep(0.02)
    client.send(b"\r\n")
    assert (await client.answer())[2] == b"/b "


async def test_thousands_of_requests_at_once_are_all_answered(connect: Connect) -> None:
    client = await connect()
    client.send(b"GET /a HTTP/1.1\r\n\r\n" * 5000)
    for _ in range(5000):
        assert (await client.answer())[2] == b"/a "


async def test_a_request_finds_nothing_that_the_one_before_it_has_set(connect: Connect) -> None:
    client = await connect()
    client.send(b"GET /variable?a HTTP/1.1\r\n\r\nGET /variable?b HTTP/1.1\r\n\r\n")
    assert [(await client.answer())[2] for _ in range(2)] == [b"nothing", b"nothing"]


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"http://elsewhere:80/a/b?c/d", b"/a/b", b"c/d"),
        (b"http://elsewhere", b"/", b""),
        (b"http://elsewhere?a/b", b"/", b"a/b"),
    ],
)
async def test_a_whole_url_is_read_for_its_path(connect: Connect, target: bytes, path: bytes, query: bytes) -> None:
    client = await connect()
    client.send(b"GET %b HTTP/1.1\r\n\r\n" % target)
    _, headers, body = await client.answer()
    assert (body, headers[b"x-query"]) == (path + b" ", query)


async def test_a_cut_connection_has_no_answer(server: Server, connect: Connect) -> None:
    client = await connect()
    client.send(b"GET /cut HTTP/1.1\r\n\r\n")
    assert await client.rest() == b""
    assert server.http.unanswered == 0


async def test_a_client_that_does_not_read_gets_all_of_it_later(server: Server, connect: Connect) -> None:
    client = await connect()
    client.send(b"GET /large HTTP/1.1\r\n\r\n" * 3 + b"GET /b HTTP/1.1\r\n\r\n")
    await asyncio.sleep(0.05)
    assert server.seen == []  # nothing is begun for whom does not read
    for _ in range(3):
        assert (await client.answer())[2] == LARGE
    assert (await client.answer())[2] == b"/b "


async def test_an_idle_connection_is_closed(connect: Connect) -> None:
    client = await connect()
    client.send(b"GET /a HTTP/1.1\r\n\r\n")
    await client.answer()
    assert await client.rest() == b""


async def test_a_request_that_takes_its_time_to_come_is_not_idle(connect: Connect) -> None:
    client = await connect()
    for piece in (b"POST /a HT", b"TP/1.1\r\nContent-", b"Length: 3\r\n\r\na", b"b", b"c"):
        client.send(piece)
        await asyncio.sleep(0.4)
    assert (await client.answer())[2] == b"/a abc"


async def test_a_stop_waits_for_what_runs(server: Server, connect: Connect) -> None:
    idle, busy = await connect(), await connect()
    busy.send(b"GET /held HTTP/1.1\r\n\r\n")
    await asyncio.wait_for(server.reached.wait(), 5)
    stopping = asyncio.create_task(server.http.stop(5))
    assert await idle.rest() == b""
    with pytest.raises(OSError):
        await connect()
    assert not stopping.done()
    server.go_on.set()
    _, headers, body = await busy.answer()
    assert (body, headers[b"connection"]) == (b"held", b"close")
    assert await busy.rest() == b""
    assert await stopping == 0


async def test_a_stop_cuts_off_what_does_not_end(server: Server, connect: Connect) -> None:
    client = await connect()
    client.send(b"GET /held HTTP/1.1\r\n\r\n")
    await asyncio.wait_for(server.reached.wait(), 5)
    assert await server.http.stop(0.05) == 1
    assert await client.rest() == b""
