"""Children of a supervisor that was killed: they end by themselves within seconds, and are made to otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Callable

from local.stack.folder import StackFolder
from local.stack.ports import command_of

PATIENCE_SECONDS = 4.0


async def end_former_children(folder: StackFolder, say: Callable[[str], None]) -> None:
    """Return once no child of an earlier run on `folder` is left. The caller holds the folder's lock."""
    left = _alive(folder)
    if not left:
        return
    say(f"waiting for what an earlier run left behind: {', '.join(f'{name} ({pid})' for name, pid in left.items())}")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while left and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
        left = _alive(folder)
    for pid in left.values():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _alive(folder: StackFolder) -> dict[str, int]:
    """Name → process id. Every child has the folder in its command line, which tells it from a later process."""
    if not folder.services_json.exists():
        return {}
    pids: dict[str, int] = json.loads(folder.services_json.read_text(encoding="utf-8"))["pids"]
    return {name: pid for name, pid in pids.items() if name != "supervisor" and str(folder.root) in command_of(pid)}
