"""Numbers as the service keeps them: as doubles: whole ones above 2^53 and digits beyond the 17th are lost."""

from __future__ import annotations

from math import isinf
from typing import Any

EXACT = 2**53
_WHOLE_AS_DIGITS = 1e21  # from here on the text of a double has an exponent
_DIGITS = bytes(ord("0") if chr(byte).isdecimal() else ord(".") for byte in range(128)) + b"." * 128
_LONG = b"0" * 16  # 2^53 has sixteen digits


class FloatReader:
    """Reads the fractions of a text; `is_exact` until one is not in the form in which a double is written.

    Raises OverflowError for what no double can hold.
    """

    __slots__ = ("is_exact",)

    def __init__(self) -> None:
        self.is_exact = True

    def __call__(self, text: str) -> float:
        value = float(text)
        if isinf(value):
            raise OverflowError(f"no double can hold {text[:40]}")
        if self.is_exact and (value.is_integer() or repr(value) != text):
            self.is_exact = False
        return value


def may_have_long_number(body: bytes) -> bool:
    """Whether there are sixteen digits in a row anywhere, also within strings."""
    return _LONG in body.translate(_DIGITS)


def has_long_number(value: Any) -> bool:
    """Whether there is a whole number of which a double may lose digits."""
    pending = [value]
    while pending:
        one = pending.pop()
        kind = type(one)
        if kind is int:
            if not -EXACT <= one <= EXACT:
                return True
        elif kind is dict:
            pending.extend(one.values())
        elif kind is list:
            pending.extend(one)
    return False


def as_doubles(value: Any) -> Any:
    """The value with each number as a double; what is whole is an int, since it is written without a fraction."""
    kind = type(value)
    if kind is float:
        return int(value) if value.is_integer() and abs(value) < _WHOLE_AS_DIGITS else value
    if kind is int:
        return value if -EXACT <= value <= EXACT else as_doubles(float(value))
    if kind is dict:
        return {name: as_doubles(inner) for name, inner in value.items()}
    if kind is list:
        return [as_doubles(inner) for inner in value]
    return value
