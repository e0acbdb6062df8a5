"""Notices when a function blocks the event loop, which stops every other function of the process, here as in Azure."""

from __future__ import annotations

import asyncio
import logging

LOOK_SECONDS = 0.1
LATE_SECONDS = 0.25
log = logging.getLogger("Host.General")


async def watch_lateness() -> None:
    """Warn each time that the event loop comes back later than it should."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LOOK_SECONDS
        await asyncio.sleep(LOOK_SECONDS)
        late = loop.time() - due
        if late > LATE_SECONDS:
            log.warning(
                "the event loop was blocked for %.0f ms: an async function computes or waits without await", late * 1000
            )
