"""The values of the query language: undefined beside JSON's own, equality without conversion, one order over all."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Final

import msgspec


class Undefined(Enum):
    """What a path that is not there yields; another thing than null."""

    UNDEFINED = "undefined"


UNDEFINED: Final = Undefined.UNDEFINED
# A JSON value or UNDEFINED. JSON is not worth a recursive type: what matters is checked by value at every operation.
Value = Any

_NUMBERS = (int, float)
# The order of types: undefined < null < false < true < number < string < array < object.
_RANKS: dict[type, int] = {Undefined: 0, type(None): 1, int: 4, float: 4, str: 5, list: 6, dict: 7}
Key = tuple[int, Any]
# Where closures find what they are about: one slot for each alias of a query.
Environment = list[Any]
Evaluator = Callable[[Environment], Value]


def is_number(value: Value) -> bool:
    """True for JSON numbers; Python would count booleans too."""
    return type(value) in _NUMBERS


def equal(left: Value, right: Value) -> Value:
    """True or False, deep for objects and arrays, never across types; UNDEFINED if a side is."""
    if left is UNDEFINED or right is UNDEFINED:
        return UNDEFINED
    return same(left, right)


def same(left: Value, right: Value) -> bool:
    """Equality of two defined values."""
    kind = type(left)
    if kind is type(right):
        if kind is dict:
            return len(left) == len(right) and all(
                name in right and same(value, right[name]) for name, value in left.items()
            )
        if kind is list:
            return len(left) == len(right) and all(map(same, left, right))
        return bool(left == right)
    return kind in _NUMBERS and type(right) in _NUMBERS and bool(left == right)


def comparable(left: Value, right: Value) -> bool:
    """True where `<` and its kin have an answer: both of one type, and neither object nor array nor undefined."""
    kind = type(left)
    if kind is type(right):
        return kind not in (dict, list, Undefined)
    return kind in _NUMBERS and type(right) in _NUMBERS


def order_key(value: Value) -> Key:
    """Sorts by type first, then by value; strings by code point. Objects and arrays sort by their canonical text."""
    kind = type(value)
    if kind is bool:
        return (3 if value else 2, 0)
    rank = _RANKS[kind]
    if rank in (6, 7):
        return rank, canonical(value)
    return rank, 0 if rank < 2 else value


def canonical(value: Value) -> str:
    """One text for all values that are equal: names sorted, whole numbers without a fraction."""
    if value is UNDEFINED:
        return ""
    return msgspec.json.encode(_canonical(value), order="deterministic").decode()


def _canonical(value: Value) -> Value:
    kind = type(value)
    if kind is float and value.is_integer() and abs(value) < 2**63:
        return int(value)
    if kind is list:
        return [_canonical(inner) for inner in value]
    if kind is dict:
        return {name: _canonical(inner) for name, inner in value.items()}
    return value


def utf16_length(text: str) -> int:
    """Characters outside the basic plane count twice, as in the service."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
