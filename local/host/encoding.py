"""How a queue message carries its bytes: base64 unless host.json says otherwise."""

from __future__ import annotations

import base64
import binascii


def encoded(body: bytes) -> str:
    """`body` as a message's text."""
    return base64.b64encode(body).decode()


def decoded(content: str) -> bytes | None:
    """The bytes that a message's text stands for, or None where it is not base64; white space does not count."""
    try:
        return base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
