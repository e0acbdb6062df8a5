"""What every trigger does with a function: run it, write its output bindings, count it as running."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.storage.queue.aio import QueueClient

from local.host.encoding import encoded
from local.host.index import Function, QueueOutput
from local.host.shapes import ParameterBinding, TypedData
from local.host.storage import Connections
from local.host.worker import Occasion, Result, Worker


class Invocations:
    """Runs functions by way of the worker.

    base64  `extensions.queues.messageEncoding`: whether messages are sent in base64
    """

    def __init__(self, worker: Worker, connections: Connections, *, base64: bool) -> None:
        self._worker, self._connections, self._base64 = worker, connections, base64

    async def run(self, function: Function, parameter: ParameterBinding, occasion: Occasion) -> Result:
        """Run `function`; it has failed too where what it gave cannot be written."""
        result = await self._worker.invoke(function.metadata, parameter, occasion)
        if not function.outputs or not result.succeeded:
            return result
        for output in function.outputs:
            value = result.return_value if output.parameter == "$return" else result.outputs.get(output.parameter)
            if value is not None:
                try:
                    await self._send(function, output, value)
                except AzureError as fault:
                    return Result(error=f"{type(fault).__name__}: the queue '{output.queue}' takes no message: {fault}")
        return result

    async def _send(self, function: Function, output: QueueOutput, value: TypedData) -> None:
        queue = self._connections.queue(output.connection, output.queue, f"function '{function.name}'")
        for body in _bodies(value):
            await send(queue, encoded(body) if self._base64 else body.decode())


async def send(queue: QueueClient, content: str) -> None:
    """Put a message, and the queue where there is none."""
    try:
        await queue.send_message(content)
    except ResourceNotFoundError:
        with contextlib.suppress(ResourceExistsError):  # another sender was quicker
            await queue.create_queue()
        await queue.send_message(content)


def _bodies(value: TypedData) -> list[bytes]:
    """The messages that an output is: one, or those of a list; of a message object only the body is sent."""
    if value.kind == "bytes":
        return [value.value]
    if value.kind != "json":
        return [str(value.value).encode()]
    content = json.loads(value.value)
    return [_body(item) for item in (content if isinstance(content, list) else [content])]


def _body(item: Any) -> bytes:
    if isinstance(item, dict) and item.keys() == {"id", "body"}:
        item = item["body"]
    return (item if isinstance(item, str) else json.dumps(item)).encode()
