"""Ends a local server when the process that started it is gone, however it went: the start holds our standard input open."""

from __future__ import annotations

import os
import signal
import sys
import threading


def end_with_parent() -> None:
    """Watch standard input in a thread; at its end, ask this process to stop and give it 10 s before it is made to."""
    threading.Thread(target=_watch, name="lifeline", daemon=True).start()


def _watch() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    timer = threading.Timer(10, os._exit, args=(1,))
    timer.daemon = True
    timer.start()
    os.kill(os.getpid(), signal.SIGTERM)
