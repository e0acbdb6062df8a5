"""Keeps two set-ups of one checkout apart: the second waits, and finds everything done."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from local.setup.telling import say


@contextlib.contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold `folder`'s lock for the block; the system lets go of it if this process dies."""
    import fcntl  # not at the top: it would end dev.py on Windows before it could say what is wrong

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "setup.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another dev.py that is setting up ...")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
