"""What of an Observation is counted, by code, unit and calendar day, and what several numbers come to. Pure.

Source: docs/statistics.md
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact
from typing import Any, NamedTuple

from shared_code.fhir import Resource, span

UCUM = "http://unitsofmeasure.org"
UNITY = "1"  # UCUM's code of what has no unit
NOT_COUNTED = frozenset({"entered-in-error", "cancelled"})
_MODIFIES = "modifierExtension"  # it may turn what is said into its opposite, and none is understood here
MAX_DIGITS = 20  # before, and after, the decimal point; a number of more is no measurement, and sums stay exact without
MEAN_EXTRA_DIGITS = 2

_EXACT = Context(prec=80, traps=[Inexact])
_ROUNDED = Context(prec=80, rounding=ROUND_HALF_EVEN)
_DAY_LENGTH = len("2024-05-01")


class Key(NamedTuple):
    """What one statistic is of.

    day    in the Observation's own offset, "2024-05-01"
    code   "system|code", "|code" where the coding has no system
    unit   UCUM code
    """

    day: str
    code: str
    unit: str


@dataclass(slots=True)
class Tally:
    """The numbers of one key so far; `sources` are the ids of the Observations that they come from."""

    count: int = 0
    sum: Decimal = Decimal(0)
    min: Decimal = Decimal("Infinity")
    max: Decimal = Decimal("-Infinity")
    decimals: int = 0
    sources: set[str] = field(default_factory=set)

    def add(self, value: Decimal, source: str) -> None:
        """Count one more; of equal numbers the one with more digits is kept, whatever the order."""
        self.count += 1
        self.sum = _EXACT.add(self.sum, value)
        self.min = min(self.min, value, key=lambda number: (number, _exponent(number)))
        self.max = max(self.max, value, key=lambda number: (number, -_exponent(number)))
        self.decimals = max(self.decimals, -_exponent(value))
        self.sources.add(source)

    @property
    def mean(self) -> Decimal:
        """Half-even to two digits more than the most precise of the numbers."""
        step = Decimal(1).scaleb(-self.decimals - MEAN_EXTRA_DIGITS)
        return _ROUNDED.divide(self.sum, self.count).quantize(step, context=_ROUNDED)


def tallies(counted: Iterable[tuple[str, Key, Decimal]]) -> dict[Key, Tally]:
    """The statistics of numbers, each with the id of its Observation."""
    found: dict[Key, Tally] = {}
    for resource_id, key, value in counted:
        found.setdefault(key, Tally()).add(value, resource_id)
    return found


def points(observation: Resource) -> list[tuple[Key, Decimal]]:
    """The numbers that an Observation adds to statistics: its own value's and each component's, under each coding."""
    day = day_of(observation)
    if day is None or observation.get("status") in NOT_COUNTED or _MODIFIES in observation:
        return []
    return [
        (Key(day, code, unit), value)
        for holder in [observation, *(observation.get("component") or [])]
        if _MODIFIES not in holder
        for value, unit in _number(holder)
        for code in _codes(holder.get("code") or {})
    ]


def day_of(observation: Resource) -> str | None:
    """The day that an Observation counts for: of `effective[x]`, which decides alone where it is there, else `issued`.

    None where that names no day: a year or a month, a Period without start, a Timing without event.
    """
    kind = next((name for name in observation if name.startswith("effective")), "issued")
    value: Any = observation.get(kind)
    if kind == "effectivePeriod":
        value = value.get("start")
    elif kind == "effectiveTiming":
        events = [event for event in value.get("event", []) if event is not None]
        value = min(events, key=span, default=None)
    return value[:_DAY_LENGTH] if value is not None and len(value) >= _DAY_LENGTH else None


def plain(number: Decimal) -> str:
    """The number without exponent and with its digits: "72.50", "100"."""
    return format(number, "f")


def _number(holder: dict[str, Any]) -> Iterator[tuple[Decimal, str]]:
    """The value of an Observation or component that is one number in a known unit.

    A Quantity with a comparator is a bound, not a number; one without UCUM code might be in any unit. An integer has
    no unit by its type.
    """
    quantity = holder.get("valueQuantity")
    if quantity is not None:
        value, unit = quantity.get("value"), quantity.get("code")
        if quantity.get("comparator") or quantity.get("system") != UCUM or not unit:
            return
    else:
        value, unit = holder.get("valueInteger"), UNITY
    if value is None:
        return
    number = Decimal(value)
    if -_exponent(number) <= MAX_DIGITS and number.adjusted() < MAX_DIGITS:
        yield Decimal(plain(number)), unit


def _codes(concept: dict[str, Any]) -> list[str]:
    codings = concept.get("coding") or []
    return list(dict.fromkeys(f"{coding.get('system', '')}|{coding['code']}" for coding in codings if "code" in coding))


def _exponent(number: Decimal) -> int:
    """How its digits are placed: -2 for 72.50."""
    exponent = number.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0
