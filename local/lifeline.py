"""Ends a local server when the process that started it is gone: the start of it holds our standard input open."""

from __future__ import annotations

import os
import signal
import threading


def end_with_parent() -> None:
    """Watch standard input in a thread; at its end, ask this process to stop and give it 10 s before it is made to."""
    threading.Thread(target=_watch, name="lifeline", daemon=True).start()


def _watch() -> None:
    # Not through sys.stdin: its lock, held by this waiting thread, would make the interpreter abort when it ends.
    while os.read(0, 4096):
        pass
    timer = threading.Timer(10, os._exit, args=(1,))
    timer.daemon = True
    timer.start()
    os.kill(os.getpid(), signal.SIGTERM)
