"""Queue triggers: fetch messages, run the function on each, then delete, give back, or move to the poison queue."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Awaitable, Callable
from datetime import datetime

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient

from local.host.encoding import decoded
from local.host.index import Function, QueueTrigger
from local.host.invocations import Invocations, send
from local.host.listeners import paused
from local.host.settings import QueueOptions
from local.host.shapes import ParameterBinding, TypedData
from local.host.worker import BY_HAND, Occasion

INVISIBLE_SECONDS = 600
SHORTEST_POLL_SECONDS = 0.1
log = logging.getLogger("Host.Triggers.Queue")


class QueueListener:
    """Polls one queue for one function.

    invisible_seconds  how long a message that is being worked on stays hidden; it is renewed at half of that
    """

    def __init__(
        self,
        function: Function,
        invocations: Invocations,
        queue: QueueClient,
        poison: QueueClient,
        options: QueueOptions,
        invisible_seconds: float = INVISIBLE_SECONDS,
    ) -> None:
        assert isinstance(function.trigger, QueueTrigger)
        self._function, self._trigger, self._invocations = function, function.trigger, invocations
        self._queue, self._poison, self._options = queue, poison, options
        self._invisible_seconds = invisible_seconds
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        idle_seconds = SHORTEST_POLL_SECONDS
        try:
            while not self._stopping.is_set():
                messages = await self._fetched()
                for message in messages:
                    task = asyncio.create_task(self._handle(message))
                    self._running.add(task)
                    task.add_done_callback(self._ended)
                while len(self._running) > self._options.new_batch_threshold and not self._stopping.is_set():
                    await self._one_ended()
                if messages:
                    idle_seconds = SHORTEST_POLL_SECONDS
                elif not await paused(self._stopping, idle_seconds):
                    longer = idle_seconds * 2 * random.uniform(0.8, 1.2)  # else all hosts would ask at the same moments
                    idle_seconds = min(longer, self._options.max_polling_interval_seconds)
            if self._running:
                await asyncio.wait(self._running)
        except asyncio.CancelledError:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)
            raise

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (fault := task.exception()):
            log.error("a message of '%s' is not settled", self._trigger.queue, exc_info=fault)

    async def _one_ended(self) -> None:
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait([*self._running, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()

    async def _fetched(self) -> list[QueueMessage]:
        """The next messages; none where the queue is not there yet, or storage does not answer."""
        size = self._options.batch_size
        pages = self._queue.receive_messages(
            messages_per_page=size, visibility_timeout=int(self._invisible_seconds)
        ).by_page()
        try:
            async for page in pages:
                return [message async for message in page]
        except ResourceNotFoundError:
            log.debug("function '%s' waits for the queue '%s' to be created", self._function.name, self._trigger.queue)
        except AzureError as fault:
            log.warning("the queue '%s' cannot be read: %s", self._trigger.queue, fault)
        return []

    async def _handle(self, message: QueueMessage) -> None:
        """Work on one message until it is settled; a fault of storage leaves it to be delivered again."""
        most = self._options.max_dequeue_count
        try:
            if (message.dequeue_count or 0) > most:  # a host died with its last delivery
                await self._to_poison(message, f"was delivered more than {most} times")
                return
            data = self._data(message.content)
            if data is None:
                await self._to_poison(message, "cannot be decoded: its sender must encode it in base64")
                return
            updating = asyncio.Lock()
            renewal = asyncio.create_task(self._stay_hidden(message, updating))
            try:
                succeeded = await self._run(data, self._occasion(message, data))
            except asyncio.CancelledError:
                renewal.cancel()
                await self._give_back(message, 0)
                raise
            async with updating:  # a renewal cut off halfway would leave us without the receipt that holds now
                renewal.cancel()
            if succeeded:
                await self._delete(message)
            elif (message.dequeue_count or 0) >= most:
                await self._to_poison(message, f"failed {most} times")
            else:
                await self._give_back(message, self._options.visibility_timeout_seconds)
        except AzureError as fault:
            log.error("message %s of '%s' is not settled: %s", message.id, self._trigger.queue, fault)

    async def run_now(self, content: str) -> None:
        """A run that somebody asked for, with `content` as the message's body."""
        data = TypedData(bytes=content.encode()) if self._trigger.binary else TypedData(string=content)
        await self._run(data, Occasion(BY_HAND, {"QueueTrigger": TypedData(string=content)}))

    def _data(self, content: str) -> TypedData | None:
        body = decoded(content) if self._options.base64 else content.encode()
        if body is None or self._trigger.binary:
            return None if body is None else TypedData(bytes=body)
        try:
            return TypedData(string=body.decode())
        except UnicodeDecodeError:
            return None

    async def _run(self, data: TypedData, occasion: Occasion) -> bool:
        parameter = ParameterBinding(self._function.parameter, data)
        return (await self._invocations.run(self._function, parameter, occasion)).succeeded

    def _occasion(self, message: QueueMessage, data: TypedData) -> Occasion:
        text = data.value if data.kind == "string" else data.value.decode(errors="replace")
        facts = {
            "Id": TypedData(string=message.id),
            "PopReceipt": TypedData(string=message.pop_receipt),
            "QueueTrigger": TypedData(string=text),
            "DequeueCount": TypedData(json=str(message.dequeue_count)),
            "ExpirationTime": _time(message.expires_on),
            "InsertionTime": _time(message.inserted_on),
            "NextVisibleTime": _time(message.next_visible_on),
        }
        return Occasion(f"New queue message detected on '{self._trigger.queue}'.", facts)

    async def _stay_hidden(self, message: QueueMessage, updating: asyncio.Lock) -> None:
        """Renew the message's invisibility for as long as its function runs; each renewal has a new receipt."""
        while True:
            await asyncio.sleep(self._invisible_seconds / 2)
            try:
                async with updating:
                    await self._update(message, self._invisible_seconds)
            except AzureError as fault:
                log.warning("message %s of '%s' is not renewed: %s", message.id, self._trigger.queue, fault)

    async def _update(self, message: QueueMessage, hidden_seconds: float) -> None:
        updated = await self._queue.update_message(
            message.id, message.pop_receipt, visibility_timeout=int(hidden_seconds)
        )
        message.pop_receipt = updated.pop_receipt

    async def _give_back(self, message: QueueMessage, hidden_seconds: float) -> None:
        await self._unless_gone(message, lambda: self._update(message, hidden_seconds))

    async def _delete(self, message: QueueMessage) -> None:
        await self._unless_gone(message, lambda: self._queue.delete_message(message.id, message.pop_receipt))

    async def _to_poison(self, message: QueueMessage, why: str) -> None:
        poison = self._poison.queue_name
        log.error("message %s of '%s' %s, and is moved to '%s'", message.id, self._trigger.queue, why, poison)
        await send(self._poison, message.content)
        await self._delete(message)

    async def _unless_gone(self, message: QueueMessage, settle: Callable[[], Awaitable[None]]) -> None:
        try:
            await settle()
        except HttpResponseError as fault:
            if fault.status_code not in (400, 404):  # 400: the receipt is that of an earlier delivery
                raise
            log.warning("message %s of '%s' was settled by another host", message.id, self._trigger.queue)


def _time(moment: datetime | None) -> TypedData:
    return TypedData(json=json.dumps(moment.isoformat() if moment else None))
