"""Queue triggers: delivery, failure, poison, renewal, and what becomes of a message when its host ends."""

from __future__ import annotations

import asyncio
import base64
import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueServiceClient
from azure.storage.queue.aio import QueueServiceClient as AsyncQueueServiceClient

from local.host.index import Function, QueueTrigger
from local.host.invocations import Invocations
from local.host.listeners import Listeners
from local.host.queues import QueueListener
from local.host.settings import QueueOptions
from local.host.shapes import ParameterBinding, RpcFunctionMetadata
from local.host.storage import Connections
from local.host.worker import Occasion, Result, Worker
from tests.local.host.hosts import ANONYMOUS, PATIENCE_SECONDS, StartHost, write_app

TOLD = """
import asyncio, json, logging
@app.queue_trigger(arg_name="m", queue_name="%QUEUE%", connection="Data")
async def work(m: func.QueueMessage) -> None:
    body = m.get_body().decode()
    logging.info("told %s", json.dumps({"body": body, "id": m.id, "count": m.dequeue_count}))
    assert m.insertion_time < m.expiration_time and m.time_next_visible and m.pop_receipt
    if body.startswith("sleep"):
        await asyncio.sleep(float(body.split()[1]))
    if body == "fail":
        raise ValueError("as asked")
"""
QUICK = {"AzureFunctionsJobHost__extensions__queues__maxPollingInterval": "00:00:00.2"}


class Queue:
    """A queue of one test, and the settings of a host that listens to it."""

    def __init__(self, connection: str) -> None:
        self._service = QueueServiceClient.from_connection_string(connection)
        self.name = f"q-{uuid.uuid4().hex[:12]}"
        self.client = self._service.get_queue_client(self.name)
        self.environ = {"Data": connection, "QUEUE": self.name, **QUICK}

    def other(self, suffix: str) -> QueueClient:
        return self._service.get_queue_client(self.name + suffix)

    def send(self, body: str | bytes, **options: Any) -> str:
        data = body.encode() if isinstance(body, str) else body
        return str(self.client.send_message(base64.b64encode(data).decode(), **options).id)

    def waits_until_empty(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.client.get_queue_properties().approximate_message_count:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def poison(self) -> list[str]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                if found := [message.content for message in self.other("-poison").peek_messages(32)]:
                    return found
            except ResourceNotFoundError:
                pass
            time.sleep(0.05)
        raise AssertionError("nothing came to the poison queue")


@pytest.fixture
def queue(azurite: str) -> Iterator[Queue]:
    made = Queue(azurite)
    made.client.create_queue()
    yield made
    made.client.delete_queue()


def test_a_message_runs_the_function_and_is_deleted(tmp_path: Path, queue: Queue, start_host: StartHost) -> None:
    host = start_host(write_app(tmp_path, ANONYMOUS + TOLD), environ=queue.environ)
    sent = queue.send("héllo")
    told = json.loads(host.logged("told ").split("told ")[1])
    assert told == {"body": "héllo", "id": sent, "count": 1}
    queue.waits_until_empty()


def test_a_failing_message_is_delivered_five_times_then_poison(
    tmp_path: Path, queue: Queue, start_host: StartHost
) -> None:
    host = start_host(write_app(tmp_path, ANONYMOUS + TOLD), environ=queue.environ)
    queue.send("fail")
    assert queue.poison() == [base64.b64encode(b"fail").decode()]
    counts = [json.loads(line.split("told ")[1])["count"] for line in _all(host, "told ", 5)]
    assert counts == [1, 2, 3, 4, 5]
    queue.waits_until_empty()


@pytest.mark.parametrize("content", ["no base64!", base64.b64encode(b"\xff\xfe").decode()], ids=["base64", "utf-8"])
def test_a_body_that_cannot_be_decoded_is_poison_at_once(
    tmp_path: Path, queue: Queue, start_host: StartHost, content: str
) -> None:
    host = start_host(write_app(tmp_path, ANONYMOUS + TOLD), environ=queue.environ)
    queue.client.send_message(content)
    assert queue.poison() == [content]
    assert host.stop() == 0
    assert not [line for line in host.log if "told" in line]


def test_a_queue_that_comes_later_is_waited_for(tmp_path: Path, azurite: str, start_host: StartHost) -> None:
    queue = Queue(azurite)
    host = start_host(write_app(tmp_path, ANONYMOUS + TOLD), environ=queue.environ)
    with pytest.raises(ResourceNotFoundError):
        queue.client.get_queue_properties()  # the trigger does not make it
    queue.client.create_queue()
    queue.send("late")
    host.logged("told ")


def test_a_message_stays_hidden_for_as_long_as_its_function_runs(
    tmp_path: Path, queue: Queue, start_host: StartHost
) -> None:
    environ = {**queue.environ, "LocalHost__queueInvisibleSeconds": "1"}
    host = start_host(write_app(tmp_path, ANONYMOUS + TOLD), environ=environ)
    queue.send("sleep 2.5")
    host.logged("Executed 'Functions.work' (Succeeded")
    queue.waits_until_empty()
    assert len([line for line in host.log if "told " in line]) == 1


def test_a_message_whose_host_was_killed_is_delivered_again(
    tmp_path: Path, queue: Queue, start_host: StartHost
) -> None:
    environ = {**queue.environ, "LocalHost__queueInvisibleSeconds": "1"}
    app = write_app(tmp_path, ANONYMOUS + TOLD)
    first = start_host(app, environ=environ)
    queue.send("sleep 1")
    first.logged("told ")
    first.process.kill()
    told = start_host(app, environ=environ).logged("told ")
    assert json.loads(told.split("told ")[1])["count"] == 2


def test_on_sigterm_a_running_message_is_finished_and_no_other_begun(
    tmp_path: Path, queue: Queue, start_host: StartHost
) -> None:
    host = start_host(write_app(tmp_path, ANONYMOUS + TOLD), environ=queue.environ)
    queue.send("sleep 1")
    host.logged("told ")
    queue.send("never", visibility_timeout=1)
    assert host.stop() == 0
    host.logged("Executed 'Functions.work' (Succeeded")
    assert queue.client.get_queue_properties().approximate_message_count == 1


def test_a_batch_runs_at_once(tmp_path: Path, queue: Queue, start_host: StartHost) -> None:
    options = {"extensions": {"queues": {"batchSize": 3, "newBatchThreshold": 0}}}
    for _ in range(4):
        queue.send("sleep 0.3")
    host = start_host(write_app(tmp_path, ANONYMOUS + TOLD, host=options), environ=queue.environ)
    host.logged("Executed", 4)
    order = ["told" if "told " in line else "ended" for line in host.log if "told " in line or "Executed" in line]
    assert order == ["told"] * 3 + ["ended"] * 3 + ["told", "ended"]


def test_bytes_are_handed_over_as_they_are_if_the_binding_says_so(
    tmp_path: Path, queue: Queue, start_host: StartHost
) -> None:
    code = """
import logging
@app.queue_trigger(arg_name="m", queue_name="%QUEUE%", connection="Data", data_type=func.DataType.BINARY)
async def work(m: func.QueueMessage) -> None:
    logging.info("told %r", m.get_body())
"""
    host = start_host(write_app(tmp_path, ANONYMOUS + code), environ=queue.environ)
    queue.send(b"\xff\x00")
    assert r"told b'\xff\x00'" in host.logged("told ")


def test_an_output_binding_makes_its_queue(tmp_path: Path, queue: Queue, start_host: StartHost) -> None:
    code = """
@app.route(route="send", methods=["POST"])
@app.queue_output(arg_name="out", queue_name="%QUEUE%-out", connection="Data")
async def send(req: func.HttpRequest, out: func.Out[str]) -> func.HttpResponse:
    out.set(req.get_body().decode())
    return func.HttpResponse(status_code=202)
"""
    host = start_host(write_app(tmp_path, ANONYMOUS + code), environ=queue.environ)
    assert httpx.post(f"{host.url}/api/send", content="héllo".encode()).status_code == 202
    (message,) = queue.other("-out").receive_messages()
    assert base64.b64decode(message.content).decode() == "héllo"


def test_a_message_can_be_given_by_hand(tmp_path: Path, queue: Queue, start_host: StartHost) -> None:
    code = TOLD.replace("    assert", "    #")
    host = start_host(write_app(tmp_path, ANONYMOUS + code), "--no-auth", environ=queue.environ)
    assert httpx.post(f"{host.url}/admin/functions/work", json={"input": "by hand"}).status_code == 202
    assert json.loads(host.logged("told ").split("told ")[1])["body"] == "by hand"


class Endless(Invocations):
    """Invocations that never end by themselves."""

    def __init__(self, connections: Connections) -> None:
        super().__init__(Worker(None), connections, base64=True)
        self.begun = asyncio.Event()

    async def run(self, function: Function, parameter: ParameterBinding, occasion: Occasion) -> Result:
        self.begun.set()
        await asyncio.Event().wait()
        return Result()


async def test_a_message_that_takes_longer_than_the_grace_is_given_back(azurite: str, queue: Queue) -> None:
    trigger = QueueTrigger(queue.name, "Data", binary=False)
    function = Function("work", RpcFunctionMetadata(retry_options=None), trigger, "m", (), False, ())
    options = QueueOptions(1, 0, 5, 0, 0.2, base64=True)
    async with AsyncQueueServiceClient.from_connection_string(azurite) as service:
        clients = service.get_queue_client(queue.name), service.get_queue_client(f"{queue.name}-poison")
        endless = Endless(Connections({}))
        listeners = Listeners([QueueListener(function, endless, *clients, options)])
        queue.send("x")
        listeners.start()
        await endless.begun.wait()
        listeners.stop()
        await listeners.ended(0.1)
    (message,) = queue.client.receive_messages()
    assert message.dequeue_count == 2


def _all(host: Any, text: str, times: int) -> list[str]:
    host.logged(text, times)
    return [line for line in host.log if text in line]
