"""The built-in scalar functions by name, with how many arguments they take."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.cosmos.sql import array_functions, date_functions, math_functions, string_functions
from local.cosmos.sql.values import UNDEFINED, Value, is_number


@dataclass(frozen=True, slots=True)
class Function:
    """`call` takes between `least` and `most` values and answers UNDEFINED for types that it is not for."""

    call: Callable[..., Value]
    least: int
    most: int


def _type_test(test: Callable[[Any], bool]) -> Function:
    return Function(test, 1, 1)


def _is_integer(value: Value) -> bool:
    return is_number(value) and value == int(value) and -(2**63) <= value < 2**63


def _choose(index: Value, *choices: Value) -> Value:
    """CHOOSE counts from 1."""
    if not is_number(index) or index != int(index) or not 1 <= index <= len(choices):
        return UNDEFINED
    return choices[int(index) - 1]


def _document_id(item: Value) -> Value:
    """DOCUMENTID: the number of an item, which its `_rid` has behind that of the container."""
    rid = item.get("_rid") if type(item) is dict else None
    if type(rid) is not str:
        return UNDEFINED
    try:
        numbers = base64.b64decode(rid.replace("-", "/"))
    except binascii.Error:
        return UNDEFINED
    return int.from_bytes(numbers[-8:]) if len(numbers) == 16 else UNDEFINED


def _if(test: Value, then: Value, otherwise: Value) -> Value:
    return then if test is True else otherwise


_NOT_HERE = """
    ST_AREA ST_DISTANCE ST_INTERSECTS ST_ISVALID ST_ISVALIDDETAILED ST_WITHIN VECTORDISTANCE RRF
    FULLTEXTCONTAINS FULLTEXTCONTAINSALL FULLTEXTCONTAINSANY FULLTEXTSCORE MAKELIST MAKESET
    SUBSTRINGAFTER SUBSTRINGBEFORE LASTSUBSTRINGAFTER LASTSUBSTRINGBEFORE
"""
# What the service has and this server does not: search in space, texts and vectors, and what its pages leave open.
NOT_HERE = frozenset(_NOT_HERE.split())

FUNCTIONS: dict[str, Function] = {
    "IS_DEFINED": _type_test(lambda value: value is not UNDEFINED),
    "IS_NULL": _type_test(lambda value: value is None),
    "IS_BOOL": _type_test(lambda value: type(value) is bool),
    "IS_NUMBER": _type_test(is_number),
    "IS_FINITE_NUMBER": _type_test(is_number),
    "IS_INTEGER": _type_test(_is_integer),
    "IS_STRING": _type_test(lambda value: type(value) is str),
    "IS_ARRAY": _type_test(lambda value: type(value) is list),
    "IS_OBJECT": _type_test(lambda value: type(value) is dict),
    "IS_PRIMITIVE": _type_test(lambda value: value is not UNDEFINED and type(value) not in (list, dict)),
    "IIF": Function(_if, 3, 3),
    "CHOOSE": Function(_choose, 2, 1000),
    "DOCUMENTID": Function(_document_id, 1, 1),
    **{name: Function(*entry) for name, entry in string_functions.FUNCTIONS.items()},
    **{name: Function(*entry) for name, entry in array_functions.FUNCTIONS.items()},
    **{name: Function(*entry) for name, entry in math_functions.FUNCTIONS.items()},
    **{name: Function(*entry) for name, entry in date_functions.FUNCTIONS.items()},
}
