"""The long-running sides of the host, timers and queues: started together, stopped together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Protocol

log = logging.getLogger("Host.Startup")


class Listener(Protocol):
    """Waits for what triggers one function, and runs it."""

    async def run(self) -> None:
        """Listen until told to stop; return when what was begun has ended."""

    def stop(self) -> None:
        """Begin nothing more."""


async def paused(wake: asyncio.Event, seconds: float) -> bool:
    """Wait for `seconds`, or until `wake` is set; say whether it is."""
    if not wake.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(wake.wait(), seconds)
    return wake.is_set()


class Listeners:
    """All listeners of the host."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = listeners
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to listen."""
        self._tasks = [asyncio.create_task(listener.run()) for listener in self._listeners]
        for task in self._tasks:
            task.add_done_callback(_report)

    def stop(self) -> None:
        """Let none of them begin anything more."""
        for listener in self._listeners:
            listener.stop()

    async def ended(self, within_seconds: float) -> None:
        """Wait for what they still run; interrupt what takes longer."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=within_seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=2)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (fault := task.exception()):
        log.critical("a listener ended, its function will not run any more", exc_info=fault)
