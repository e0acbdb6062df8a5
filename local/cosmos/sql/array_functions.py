"""Functions over arrays and objects."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

from local.cosmos.sql.aggregates import aggregate
from local.cosmos.sql.operators import number
from local.cosmos.sql.values import UNDEFINED, Value, canonical, is_number, same


def contains(array: Value, wanted: Value, partial: Value = False) -> Value:
    """ARRAY_CONTAINS: with `partial` an object matches when all its given fields do, deeply."""
    if type(array) is not list or wanted is UNDEFINED:
        return UNDEFINED
    if partial is True:
        return any(_covers(element, wanted) for element in array)
    if type(wanted) is str:
        return wanted in array  # no other type equals a string
    return any(same(element, wanted) for element in array)


def _covers(element: Value, wanted: Value) -> bool:
    if type(wanted) is dict:
        return type(element) is dict and all(
            name in element and _covers(element[name], value) for name, value in wanted.items()
        )
    return same(element, wanted)


def contains_any(array: Value, *wanted: Value) -> Value:
    """ARRAY_CONTAINS_ANY: one of the values."""
    if type(array) is not list:
        return UNDEFINED
    return any(contains(array, one) is True for one in wanted)


def contains_all(array: Value, *wanted: Value) -> Value:
    """ARRAY_CONTAINS_ALL: each of the values."""
    if type(array) is not list:
        return UNDEFINED
    return all(contains(array, one) is True for one in wanted)


def length(array: Value) -> Value:
    """ARRAY_LENGTH."""
    return len(array) if type(array) is list else UNDEFINED


def concat(*arrays: Value) -> Value:
    """ARRAY_CONCAT."""
    if any(type(array) is not list for array in arrays):
        return UNDEFINED
    return [element for array in arrays for element in array]


def part(array: Value, start: Value, count: Value = None) -> Value:
    """ARRAY_SLICE: a negative start counts from the end."""
    if type(array) is not list or not is_number(start) or not (count is None or is_number(count)):
        return UNDEFINED
    first = int(start) if start >= 0 else max(0, len(array) + int(start))
    return array[first:] if count is None else array[first : first + max(0, int(count))]


def set_intersect(left: Value, right: Value) -> Value:
    """SETINTERSECT: what is in both, once."""
    if type(left) is not list or type(right) is not list:
        return UNDEFINED
    wanted = {canonical(element) for element in right}
    return [element for element in _once(left) if canonical(element) in wanted]


def set_union(left: Value, right: Value) -> Value:
    """SETUNION: what is in one or both, once."""
    if type(left) is not list or type(right) is not list:
        return UNDEFINED
    return _once([*left, *right])


def set_difference(left: Value, right: Value) -> Value:
    """SETDIFFERENCE: what is in the first only, once."""
    if type(left) is not list or type(right) is not list:
        return UNDEFINED
    unwanted = {canonical(element) for element in right}
    return [element for element in _once(left) if canonical(element) not in unwanted]


def set_equal(left: Value, right: Value) -> Value:
    """SETEQUAL: the same elements, however often and in whatever order."""
    if type(left) is not list or type(right) is not list:
        return UNDEFINED
    return set(map(canonical, left)) == set(map(canonical, right))


def _over_all(name: str) -> Callable[[Value], Value]:
    """What the aggregate of this name makes of the elements; UNDEFINED as soon as one is an array or an object."""

    def function(array: Value) -> Value:
        if type(array) is not list or any(type(element) in (list, dict) for element in array):
            return UNDEFINED
        over = aggregate(name)
        for element in array:
            over.add(element)
        return over.result()

    return function


def median(array: Value) -> Value:
    """ARRAY_MEDIAN: the middle one, or the mean of the two in the middle."""
    if type(array) is not list or not array or not all(map(is_number, array)):
        return UNDEFINED
    return number(statistics.median(array))


def object_to_array(value: Value) -> Value:
    """OBJECTTOARRAY: `[{"k": name, "v": value}]`."""
    if type(value) is not dict:
        return UNDEFINED
    return [{"k": name, "v": inner} for name, inner in value.items()]


def _once(array: list[Any]) -> list[Any]:
    return list({canonical(element): element for element in reversed(array)}.values())[::-1]


FUNCTIONS: dict[str, tuple[Callable[..., Value], int, int]] = {
    "ARRAY_CONTAINS": (contains, 2, 3),
    "ARRAY_CONTAINS_ANY": (contains_any, 2, 1000),
    "ARRAY_CONTAINS_ALL": (contains_all, 2, 1000),
    "ARRAY_LENGTH": (length, 1, 1),
    "ARRAY_CONCAT": (concat, 2, 1000),
    "ARRAY_SLICE": (part, 2, 3),
    "SETINTERSECT": (set_intersect, 2, 2),
    "SETUNION": (set_union, 2, 2),
    "SETDIFFERENCE": (set_difference, 2, 2),
    "SETEQUAL": (set_equal, 2, 2),
    "ARRAY_AVG": (_over_all("AVG"), 1, 1),
    "ARRAY_MAX": (_over_all("MAX"), 1, 1),
    "ARRAY_MEDIAN": (median, 1, 1),
    "ARRAY_MIN": (_over_all("MIN"), 1, 1),
    "ARRAY_SUM": (_over_all("SUM"), 1, 1),
    "OBJECTTOARRAY": (object_to_array, 1, 1),
}
