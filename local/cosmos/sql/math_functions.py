"""Functions over numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from local.cosmos.sql.operators import number
from local.cosmos.sql.values import UNDEFINED, Value, is_number


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
