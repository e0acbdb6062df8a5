"""The format of DATETIMEFORMAT: the specifiers that the service shows in its examples."""

from __future__ import annotations

import re
from datetime import datetime

from local.cosmos.errors import bad_request

# An escaped character, a run of one letter, or anything else; the letters are those that have a meaning in .NET.
_PART = re.compile(r"\\(?P<escaped>.)|(?P<specifier>([dfFghHKmMstyz])\3*)|(?P<literal>.)", re.DOTALL)
_NUMBERS = {"MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
_DIGITS = 7  # of a second


def formatted(moment: datetime, fraction: int, wanted: str) -> str:
    """The text of a point in time; `fraction` counts ten-millionths of a second.

    Raises CosmosError 400 for a specifier of which this server does not know what the service does.
    """
    return "".join(_part(moment, fraction, match) for match in _PART.finditer(wanted))


def _part(moment: datetime, fraction: int, match: re.Match[str]) -> str:
    specifier = match["specifier"]
    if specifier is None:
        return match["escaped"] or match["literal"]
    if specifier == "yyyy":
        return f"{moment.year:04}"
    if specifier in _NUMBERS:
        return moment.strftime(_NUMBERS[specifier])
    if specifier[0] in "fF" and len(specifier) <= _DIGITS:
        digits = f"{fraction:07}"[: len(specifier)]
        return digits if specifier[0] == "f" else digits.rstrip("0")
    raise bad_request(f"The format specifier '{specifier[:20]}' of DATETIMEFORMAT is not in this server.")
