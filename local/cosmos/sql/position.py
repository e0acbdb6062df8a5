"""Continuation tokens: where a page ended, bound to the query that it was a page of."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Any

import msgspec

from local.cosmos.errors import bad_request


class _Wire(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    query: str
    keys: list[list[Any]]
    epk: str
    id: str
    number: int
    row: int
    skip: int
    take: int | None


@dataclass(slots=True)
class Position:
    """The last row that was returned, and how much of OFFSET and LIMIT is left.

    keys    what it was sorted by, or grouped by: `[value]`, or `[]` for undefined
    epk, id, number   its item: key, id and place in the order of creation; number -1 is before all
    row     which of the item's rows it was
    """

    keys: list[list[Any]] = field(default_factory=list)
    epk: str = ""
    id: str = ""
    number: int = -1
    row: int = -1
    skip: int = 0
    take: int | None = None

    def token(self, query: str) -> str:
        """Text for a header."""
        wire = _Wire(query, self.keys, self.epk, self.id, self.number, self.row, self.skip, self.take)
        return base64.urlsafe_b64encode(msgspec.json.encode(wire)).decode()


def read_token(text: str, query: str) -> Position:
    """Raises CosmosError 400 for what is no token, or one of another query."""
    try:
        wire = msgspec.json.decode(base64.urlsafe_b64decode(text), type=_Wire)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise bad_request("The continuation token is invalid.") from None
    if wire.query != query:
        raise bad_request("The continuation token is invalid: it belongs to another query.")
    return Position(wire.keys, wire.epk, wire.id, wire.number, wire.row, wire.skip, wire.take)
