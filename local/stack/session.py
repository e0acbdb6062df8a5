"""One run of the stack from the terminal: start, do something when it is ready, and end on a signal."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable

from local.stack.child import StartError
from local.stack.folder import FolderInUseError, StackFolder
from local.stack.former import end_former_children
from local.stack.ports import PortTakenError
from local.stack.supervisor import Supervisor, require_app_port


def say(text: str) -> None:
    """Tell the person at the terminal; standard output is for what a program reads."""
    print(text, file=sys.stderr, flush=True)


WhenReady = Callable[[Supervisor], Awaitable[None]]


def run_stack(folder: StackFolder, app_port: int, when_ready: WhenReady, *, fresh: bool = False) -> int:
    """Run a stack on `folder` until Ctrl-C or SIGTERM; the exit code. A second signal ends everything at once.

    fresh  remove everything of earlier runs first
    """
    try:
        with folder.locked():
            if fresh:
                asyncio.run(_forget(folder, app_port))
            return asyncio.run(_session(Supervisor(folder, app_port, say), when_ready))
    except (FolderInUseError, PortTakenError, StartError) as error:
        say(f"dev.py: {error}")
        return 1


async def _forget(folder: StackFolder, app_port: int) -> None:
    """Remove everything of earlier runs, but not for a start that cannot succeed."""
    await end_former_children(folder, say)
    require_app_port(app_port)
    folder.forget()


async def _session(supervisor: Supervisor, when_ready: WhenReady) -> int:
    loop = asyncio.get_running_loop()
    body = asyncio.create_task(_until_cancelled(supervisor, when_ready))
    asked = False

    def asked_to_end() -> None:
        nonlocal asked
        if asked:
            supervisor.kill()
            os._exit(130)
        asked = True
        say("ending; once more to end at once")
        body.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, asked_to_end)
    await asyncio.wait([body])
    await supervisor.stop()
    if body.cancelled():
        return 0
    body.result()  # a failure is raised here; without one it never ends by itself
    return 0


async def _until_cancelled(supervisor: Supervisor, when_ready: WhenReady) -> None:
    await supervisor.start()
    await when_ready(supervisor)
    await asyncio.Event().wait()
