"""What the operators of the query language do to values: comparison, arithmetic, logic and patterns."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from local.cosmos.sql.values import UNDEFINED, Value, comparable, equal, is_number

_EXACT = 2**53


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Value, Value], Value]:
    def operator(left: Value, right: Value) -> Value:
        if not comparable(left, right):
            return UNDEFINED
        # null equals null and nothing else
        return compare(0, 0) if left is None else compare(left, right)

    return operator


def not_equal(left: Value, right: Value) -> Value:
    """The opposite of `equal`; also true between types."""
    answer = equal(left, right)
    return UNDEFINED if answer is UNDEFINED else not answer


def in_range(value: Value, low: Value, high: Value) -> Value:
    """BETWEEN."""
    return both(_AT_LEAST(value, low), _AT_MOST(value, high))


def both(left: Value, right: Value) -> Value:
    """AND of two."""
    if left is False or right is False:
        return False
    return True if left is True and right is True else UNDEFINED


def negation(value: Value) -> Value:
    """NOT; undefined stays undefined."""
    return (not value) if value is True or value is False else UNDEFINED


def number(value: Any) -> Value:
    """A result as the service would have it: finite, exact as far as a double is."""
    if type(value) is int:
        return value if -_EXACT <= value <= _EXACT else _double(value)
    return value if math.isfinite(value) else UNDEFINED


def _double(value: int) -> Value:
    try:
        return float(value)
    except OverflowError:
        return UNDEFINED


def _arithmetic(compute: Callable[[Any, Any], Any]) -> Callable[[Value, Value], Value]:
    def operator(left: Value, right: Value) -> Value:
        if not is_number(left) or not is_number(right):
            return UNDEFINED
        try:
            return number(compute(left, right))
        except (ZeroDivisionError, OverflowError, ValueError):
            return UNDEFINED

    return operator


def _divide(left: Any, right: Any) -> Any:
    quotient = left / right
    return int(quotient) if quotient.is_integer() and abs(quotient) < _EXACT else quotient


def _modulo(left: Any, right: Any) -> Any:
    rest = math.fmod(left, right)
    return int(rest) if rest.is_integer() else rest


def _bits(compute: Callable[[int, int], int]) -> Callable[[Value, Value], Value]:
    def operator(left: Value, right: Value) -> Value:
        first, second = _int32(left), _int32(right)
        return UNDEFINED if first is None or second is None else _signed(compute(first, second))

    return operator


def _int32(value: Value) -> int | None:
    if not is_number(value) or value != int(value):
        return None
    return _signed(int(value))


def _signed(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


def _shift_unsigned(left: Value, right: Value) -> Value:
    first, second = _int32(left), _int32(right)
    return UNDEFINED if first is None or second is None else (first % 2**32) >> (second & 31)


def concatenated(left: Value, right: Value) -> Value:
    """`||`."""
    return left + right if type(left) is str and type(right) is str else UNDEFINED


_LESS = _ordered(lambda left, right: left < right)
_AT_MOST = _ordered(lambda left, right: left <= right)
_AT_LEAST = _ordered(lambda left, right: left >= right)

BINARY: dict[str, Callable[[Value, Value], Value]] = {
    "=": equal,
    "!=": not_equal,
    "<": _LESS,
    "<=": _AT_MOST,
    ">": _ordered(lambda left, right: left > right),
    ">=": _AT_LEAST,
    "+": _arithmetic(lambda left, right: left + right),
    "-": _arithmetic(lambda left, right: left - right),
    "*": _arithmetic(lambda left, right: left * right),
    "/": _arithmetic(_divide),
    "%": _arithmetic(_modulo),
    "|": _bits(lambda left, right: left | right),
    "&": _bits(lambda left, right: left & right),
    "^": _bits(lambda left, right: left ^ right),
    "<<": _bits(lambda left, right: left << (right & 31)),
    ">>": _bits(lambda left, right: left >> (right & 31)),
    ">>>": _shift_unsigned,
    "||": concatenated,
}


def negative(value: Value) -> Value:
    """Unary minus."""
    return -value if is_number(value) else UNDEFINED


def positive(value: Value) -> Value:
    """Unary plus."""
    return value if is_number(value) else UNDEFINED


def inverted(value: Value) -> Value:
    """`~`."""
    bits = _int32(value)
    return UNDEFINED if bits is None else ~bits


UNARY: dict[str, Callable[[Value], Value]] = {"NOT": negation, "-": negative, "+": positive, "~": inverted}


def like(value: Value, pattern: Value, escape: Value) -> Value:
    """LIKE: `%`, `_`, `[a-z]`, `[^a-z]`; `escape` is one character or UNDEFINED."""
    if type(value) is not str or type(pattern) is not str:
        return UNDEFINED
    return _pattern(pattern, escape if type(escape) is str else None).fullmatch(value) is not None


@lru_cache(maxsize=256)
def _pattern(pattern: str, escape: str | None) -> re.Pattern[str]:
    """Each `%` takes as little as the text up to the next one allows, once for all, so that nothing is tried twice."""
    parts: list[str] = []
    segments = [parts]
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == escape and at < len(pattern):
            parts.append(re.escape(pattern[at]))
            at += 1
        elif character == "%":
            parts = []
            segments.append(parts)
        elif character == "_":
            parts.append(".")
        elif character == "[" and (end := pattern.find("]", at + 1)) != -1:
            members = pattern[at:end].replace("\\", "\\\\").replace("[", "\\[").replace("&", "\\&").replace("~", "\\~")
            parts.append(f"[{members}]")
            at = end + 1
        else:
            parts.append(re.escape(character))
    first, *middle = ["".join(segment) for segment in segments]
    last = f".*{middle.pop()}" if middle else ""
    between = "".join(f"(?>.*?{segment})" for segment in middle)
    try:
        return re.compile(first + between + last, re.DOTALL)
    except re.error:
        return re.compile(r"(?!)")
