"""COUNT, SUM, AVG, MIN, MAX and COUNTIF: fed with one value a row, asked for a result or for a part of one."""

from __future__ import annotations

from typing import Any, Protocol

from local.cosmos.sql.operators import number
from local.cosmos.sql.values import UNDEFINED, Value, is_number, order_key


class Aggregate(Protocol):
    """`partial` is what a physical partition hands to a client that merges."""

    def add(self, value: Value) -> None:
        """Take one row's value."""

    def result(self) -> Value:
        """The answer over all rows."""

    def partial(self) -> Value:
        """The answer of one physical partition, UNDEFINED where it has none."""


class Count:
    """How many are defined; null counts."""

    def __init__(self) -> None:
        self._count = 0

    def add(self, value: Value) -> None:
        if value is not UNDEFINED:
            self._count += 1

    def result(self) -> Value:
        return self._count

    partial = result


class CountIf:
    """How many are true."""

    def __init__(self) -> None:
        self._count = 0

    def add(self, value: Value) -> None:
        if value is True:
            self._count += 1

    def result(self) -> Value:
        return self._count

    partial = result


class Sum:
    """Undefined as soon as one is not a number, and beyond the largest number."""

    def __init__(self) -> None:
        self._sum: Any = 0

    def add(self, value: Value) -> None:
        if value is UNDEFINED:
            return
        if self._sum is not UNDEFINED:
            self._sum = self._sum + value if is_number(value) else UNDEFINED

    def result(self) -> Value:
        return self._sum if self._sum is UNDEFINED else number(self._sum)

    partial = result


class Average:
    """Undefined over nothing, and as soon as one is not a number."""

    def __init__(self) -> None:
        self._sum = Sum()
        self._count = 0

    def add(self, value: Value) -> None:
        if value is not UNDEFINED:
            self._sum.add(value)
            self._count += 1

    def result(self) -> Value:
        total = self._sum.result()
        return UNDEFINED if total is UNDEFINED or not self._count else total / self._count

    def partial(self) -> Value:
        total = self._sum.result()
        return UNDEFINED if total is UNDEFINED else {"sum": total, "count": self._count}


class Extreme:
    """The least or the greatest over all types; undefined over nothing."""

    def __init__(self, greatest: bool) -> None:
        self._greatest = greatest
        self._value: Value = UNDEFINED
        self._key: Any = None

    def add(self, value: Value) -> None:
        if value is UNDEFINED:
            return
        key = order_key(value)
        if self._key is None or (key > self._key if self._greatest else key < self._key):
            self._value, self._key = value, key

    def result(self) -> Value:
        return self._value

    partial = result


# As the query plan names them.
PLAN_NAMES = {"COUNT": "Count", "SUM": "Sum", "AVG": "Average", "MIN": "Min", "MAX": "Max", "COUNTIF": "CountIf"}


def aggregate(name: str) -> Aggregate:
    """A fresh aggregate by its upper-case name."""
    match name:
        case "COUNT":
            return Count()
        case "COUNTIF":
            return CountIf()
        case "SUM":
            return Sum()
        case "AVG":
            return Average()
    return Extreme(greatest=name == "MAX")
