"""A second evaluator of the query language, written from its documentation; it shares no code with the server.

A value is a pair of type and content; an expression is a tuple that begins with its kind.
"""

# ruff: noqa: PLR0911, PLR0912 - one branch for each kind of expression is what an evaluator is

from __future__ import annotations

import functools
import json
from typing import Any

Tagged = tuple[str, Any]
Expression = tuple[Any, ...]
UNDEFINED: Tagged = ("undefined", None)
TYPES = ("undefined", "null", "boolean", "number", "string", "array", "object")
TRUE: Tagged = ("boolean", True)
FALSE: Tagged = ("boolean", False)


def tagged(value: Any) -> Tagged:
    """A JSON value with its type."""
    if value is None:
        return ("null", None)
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, int | float):
        return ("number", float(value))
    if isinstance(value, str):
        return ("string", value)
    if isinstance(value, list):
        return ("array", [tagged(inner) for inner in value])
    return ("object", {name: tagged(inner) for name, inner in value.items()})


def truth(value: bool) -> Tagged:
    return TRUE if value else FALSE


def text(expression: Expression) -> str:
    """The expression in the query language; everything that has parts is in parentheses."""
    kind, *parts = expression
    match kind:
        case "path":
            return str(parts[0])
        case "literal":
            return json.dumps(parts[0])
        case "not":
            return f"(NOT ({text(parts[0])}))"
        case "binary":
            return f"({text(parts[1])} {parts[0]} {text(parts[2])})"
        case "in":
            return f"({text(parts[0])} {'NOT ' if parts[2] else ''}IN ({', '.join(map(text, parts[1]))}))"
        case "between":
            return f"({text(parts[0])} BETWEEN {text(parts[1])} AND {text(parts[2])})"
        case "like":
            return f"({text(parts[0])} LIKE {json.dumps(parts[1])})"
        case "if":
            return f"(({text(parts[0])}) ? {text(parts[1])} : {text(parts[2])})"
        case "coalesce":
            return f"({text(parts[0])} ?? {text(parts[1])})"
        case "call":
            return f"{parts[0]}({', '.join(map(text, parts[1:]))})"
        case "exists":
            return f"EXISTS(SELECT VALUE e FROM e IN {text(parts[0])} WHERE {text(parts[1])})"
    raise AssertionError(kind)


def value_of(expression: Expression, item: Tagged, element: Tagged = UNDEFINED) -> Tagged:
    """What the expression is for an item; `element` is what the alias `e` stands for."""
    kind, *parts = expression
    again = functools.partial(value_of, item=item, element=element)
    match kind:
        case "path":
            return _path(parts[0], item, element)
        case "literal":
            return tagged(parts[0])
        case "not":
            inner = again(parts[0])
            return truth(not inner[1]) if inner[0] == "boolean" else UNDEFINED
        case "binary":
            return _binary(parts[0], again(parts[1]), again(parts[2]))
        case "in":
            return _in(again(parts[0]), [again(choice) for choice in parts[1]], parts[2])
        case "between":
            value = again(parts[0])
            lower, upper = _binary(">=", value, again(parts[1])), _binary("<=", value, again(parts[2]))
            return _binary("AND", lower, upper)
        case "like":
            value = again(parts[0])
            return truth(_like(value[1], parts[1])) if value[0] == "string" else UNDEFINED
        case "if":
            return again(parts[1]) if again(parts[0]) == TRUE else again(parts[2])
        case "coalesce":
            left = again(parts[0])
            return again(parts[1]) if left == UNDEFINED else left
        case "call":
            return _call(parts[0], [again(argument) for argument in parts[1:]])
        case "exists":
            array = again(parts[0])
            if array[0] != "array":
                return FALSE
            return truth(any(value_of(parts[1], item, one) == TRUE for one in array[1]))
    raise AssertionError(kind)


def _path(path: str, item: Tagged, element: Tagged) -> Tagged:
    first, *names = path.replace("[0]", ".0").split(".")
    value = item if first == "c" else element
    for name in names:
        if value[0] == "object" and name in value[1]:
            value = value[1][name]
        elif value[0] == "array" and name == "0" and value[1]:
            value = value[1][0]
        else:
            return UNDEFINED
    return value


def _binary(operator: str, left: Tagged, right: Tagged) -> Tagged:
    if operator == "AND":
        if FALSE in (left, right):
            return FALSE
        return TRUE if left == right == TRUE else UNDEFINED
    if operator == "OR":
        if TRUE in (left, right):
            return TRUE
        return FALSE if left == right == FALSE else UNDEFINED
    if UNDEFINED in (left, right):
        return UNDEFINED
    if operator in ("=", "!="):
        return truth((left == right) == (operator == "="))
    if operator == "||":
        return ("string", left[1] + right[1]) if left[0] == right[0] == "string" else UNDEFINED
    if operator in ("+", "-", "*"):
        if left[0] != "number" or right[0] != "number":
            return UNDEFINED
        return ("number", {"+": left[1] + right[1], "-": left[1] - right[1], "*": left[1] * right[1]}[operator])
    if left[0] != right[0] or left[0] in ("array", "object"):
        return UNDEFINED
    sign = compare(left, right)
    return truth({"<": sign < 0, "<=": sign <= 0, ">": sign > 0, ">=": sign >= 0}[operator])


def _in(value: Tagged, choices: list[Tagged], negated: bool) -> Tagged:
    answer = FALSE
    for choice in choices:
        answer = _binary("OR", answer, _binary("=", value, choice))
    if value == UNDEFINED:
        return UNDEFINED
    if not negated:
        return answer
    return truth(not answer[1]) if answer[0] == "boolean" else UNDEFINED


def _like(value: str, pattern: str) -> bool:
    if not pattern:
        return not value
    if pattern[0] == "%":
        return any(_like(value[start:], pattern[1:]) for start in range(len(value) + 1))
    return bool(value) and pattern[0] in ("_", value[0]) and _like(value[1:], pattern[1:])


def _call(name: str, arguments: list[Tagged]) -> Tagged:
    kinds = [argument[0] for argument in arguments]
    first = arguments[0]
    match name:
        case "IS_DEFINED":
            return truth(first != UNDEFINED)
        case "IS_NULL":
            return truth(kinds[0] == "null")
        case "IS_STRING" | "IS_NUMBER" | "IS_ARRAY" | "IS_OBJECT":
            return truth(kinds[0] == name[3:].lower())
        case "IS_BOOL":
            return truth(kinds[0] == "boolean")
        case "IS_PRIMITIVE":
            return truth(kinds[0] in ("null", "boolean", "number", "string"))
        case "LENGTH":
            return ("number", float(len(first[1].encode("utf-16-le")) // 2)) if kinds[0] == "string" else UNDEFINED
        case "UPPER":
            return ("string", first[1].upper()) if kinds[0] == "string" else UNDEFINED
        case "ABS":
            return ("number", abs(first[1])) if kinds[0] == "number" else UNDEFINED
        case "ARRAY_LENGTH":
            return ("number", float(len(first[1]))) if kinds[0] == "array" else UNDEFINED
        case "STARTSWITH":
            return truth(first[1].startswith(arguments[1][1])) if kinds == ["string", "string"] else UNDEFINED
        case "CONTAINS":
            return truth(arguments[1][1] in first[1]) if kinds == ["string", "string"] else UNDEFINED
        case "ARRAY_CONTAINS":
            if kinds[0] != "array" or kinds[1] == "undefined":
                return UNDEFINED
            return truth(arguments[1] in first[1])
    raise AssertionError(name)


def compare(left: Tagged, right: Tagged) -> int:
    """The order over all types; only what is not a composite has an order among its own kind."""
    ranks = TYPES.index(left[0]), TYPES.index(right[0])
    if ranks[0] != ranks[1]:
        return -1 if ranks[0] < ranks[1] else 1
    if left[0] in ("undefined", "null"):
        return 0
    return (left[1] > right[1]) - (left[1] < right[1])
