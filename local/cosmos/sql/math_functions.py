"""Functions over numbers."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

from local.cosmos.sql.operators import number
from local.cosmos.sql.values import UNDEFINED, Value, is_number

_MOST_DIGITS = 308  # of a double, before and after the point


def _of_numbers(compute: Callable[..., Any]) -> Callable[..., Value]:
    """UNDEFINED for what is no number, and where there is no finite result."""

    def function(*arguments: Value) -> Value:
        if not all(map(is_number, arguments)):
            return UNDEFINED
        try:
            return number(compute(*arguments))
        except (ValueError, OverflowError, ZeroDivisionError):
            return UNDEFINED

    return function


def _round(value: Any, digits: Any = 0) -> Any:
    """Halves go away from zero."""
    if abs(digits) > _MOST_DIGITS:
        raise ValueError(digits)
    scale = 10 ** int(digits)
    rounded = math.copysign(math.floor(abs(value) * scale + 0.5), value) / scale
    return int(rounded) if rounded == int(rounded) else rounded


def _power(base: Any, exponent: Any) -> Any:
    result = math.pow(base, exponent)
    return int(result) if result.is_integer() and abs(result) < 2**53 else result


def _root(value: Any) -> Any:
    result = math.sqrt(value)
    return int(result) if result.is_integer() else result


def _sign(value: Any) -> int:
    return int(value > 0) - int(value < 0)


def _of_integers(compute: Callable[..., int]) -> Callable[..., Value]:
    """Functions over 64-bit integers: UNDEFINED for a fraction, and for a result that does not fit."""

    def function(*arguments: Value) -> Value:
        whole = [int(argument) for argument in arguments if is_number(argument) and argument == int(argument)]
        if len(whole) != len(arguments):
            return UNDEFINED
        try:
            result = compute(*whole)
        except (ValueError, ZeroDivisionError, OverflowError):
            return UNDEFINED
        return result if -(2**63) <= result < 2**63 else UNDEFINED

    return function


def _divided(left: int, right: int) -> int:
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _rest(left: int, right: int) -> int:
    return left - right * _divided(left, right)


def _shifted_left(value: int, by: int) -> int:
    if by >= 64:
        raise ValueError(by)
    return ((value << by) + 2**63) % 2**64 - 2**63


def _bin(value: Any, size: Any = 1) -> Any:
    """The value rounded down to a multiple of `size`."""
    if size <= 0:
        raise ValueError(size)
    return math.floor(value / size) * size


FUNCTIONS: dict[str, tuple[Callable[..., Value], int, int]] = {
    "ABS": (_of_numbers(abs), 1, 1),
    "FLOOR": (_of_numbers(math.floor), 1, 1),
    "CEILING": (_of_numbers(math.ceil), 1, 1),
    "TRUNC": (_of_numbers(math.trunc), 1, 1),
    "ROUND": (_of_numbers(_round), 1, 2),
    "POWER": (_of_numbers(_power), 2, 2),
    "SQUARE": (_of_numbers(lambda value: value * value), 1, 1),
    "SQRT": (_of_numbers(_root), 1, 1),
    "SIGN": (_of_numbers(_sign), 1, 1),
    "EXP": (_of_numbers(math.exp), 1, 1),
    "LOG": (_of_numbers(math.log), 1, 2),
    "LOG10": (_of_numbers(math.log10), 1, 1),
    "INTADD": (_of_integers(lambda left, right: left + right), 2, 2),
    "INTSUB": (_of_integers(lambda left, right: left - right), 2, 2),
    "INTMUL": (_of_integers(lambda left, right: left * right), 2, 2),
    "INTDIV": (_of_integers(_divided), 2, 2),
    "INTMOD": (_of_integers(_rest), 2, 2),
    "INTBITAND": (_of_integers(lambda left, right: left & right), 2, 2),
    "INTBITOR": (_of_integers(lambda left, right: left | right), 2, 2),
    "INTBITXOR": (_of_integers(lambda left, right: left ^ right), 2, 2),
    "INTBITNOT": (_of_integers(lambda value: ~value), 1, 1),
    "INTBITLEFTSHIFT": (_of_integers(_shifted_left), 2, 2),
    "INTBITRIGHTSHIFT": (_of_integers(lambda value, by: value >> by), 2, 2),
    "NUMBERBIN": (_of_numbers(_bin), 1, 2),
    "RAND": (random.random, 0, 0),
    "PI": (lambda: math.pi, 0, 0),
    "SIN": (_of_numbers(math.sin), 1, 1),
    "COS": (_of_numbers(math.cos), 1, 1),
    "TAN": (_of_numbers(math.tan), 1, 1),
    "COT": (_of_numbers(lambda value: 1 / math.tan(value)), 1, 1),
    "ASIN": (_of_numbers(math.asin), 1, 1),
    "ACOS": (_of_numbers(math.acos), 1, 1),
    "ATAN": (_of_numbers(math.atan), 1, 1),
    "ATN2": (_of_numbers(math.atan2), 2, 2),
    "DEGREES": (_of_numbers(math.degrees), 1, 1),
    "RADIANS": (_of_numbers(math.radians), 1, 1),
}
