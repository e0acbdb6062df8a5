"""Why the host does not start: always a sentence for the person at the keyboard, who can change what it names."""

from __future__ import annotations


class StartError(Exception):
    """The app or its settings are not what Azure would run; the text says what to change."""
