"""Small files that outlive a run: written whole or not at all, readable by their owner alone."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Put `text` at `path`; a reader sees the old file or the new one, never a part of it."""
    aside = _written_aside(path, text)
    os.replace(aside, path)


def create_once(path: Path, text: str) -> str:
    """Put `text` at `path` unless something is there already; the answer is what is there now.

    Of two processes that do this at the same moment one wins, and both get the winner's text.
    """
    if not path.exists():
        aside = _written_aside(path, text)
        with contextlib.suppress(FileExistsError):  # another process was first: its text counts
            os.link(aside, path)
        aside.unlink()
    return path.read_text(encoding="utf-8")


def _written_aside(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return aside
