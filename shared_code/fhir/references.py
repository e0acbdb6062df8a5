"""Literal references: the forms they take."""

from __future__ import annotations

import re

_RELATIVE = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?")
_VERSION = re.compile(r"/_history/[A-Za-z0-9\-.]{1,64}$")


def relative(text: str) -> tuple[str, str] | None:
    """Type and id of a relative literal reference ('Patient/p1', 'Patient/p1/_history/2'); None for any other form."""
    match = _RELATIVE.fullmatch(text)
    return (match[1], match[2]) if match else None


def unversioned(text: str) -> str:
    """The reference to the resource whatever its version: 'Patient/p1/_history/2' → 'Patient/p1'."""
    return _VERSION.sub("", text) if "/_history/" in text else text
