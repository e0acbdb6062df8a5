"""HL7's R4 definitions in the generated form beside this module: one line per type, parsed when first needed."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import msgspec


@cache
def definition(name: str) -> dict[str, Any] | None:
    """The entry with this name: 'R4' (the list of types), a data type, a resource type or 'ValueSet/…'."""
    head = b'\n{"name":"%s",' % name.encode()
    start = _text().find(head)
    if start < 0:
        return None
    end = _text().index(b"\n", start + 1)
    found: dict[str, Any] = msgspec.json.decode(_text()[start:end])
    return found


@cache
def _text() -> bytes:
    # Kept whole, below 1 MB: finding a line takes less time than an index of all lines would take to load.
    return b"\n" + Path(__file__).with_name("definitions.ndjson").read_bytes()


def contents() -> dict[str, Any]:
    """What the file begins with: FHIR version, names of the concrete resource types and of those in the home table."""
    found = definition("R4")
    if found is None:
        raise LookupError("definitions.ndjson does not begin with R4")
    return found
