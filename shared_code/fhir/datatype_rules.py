"""The invariants of R4's data types."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from shared_code.fhir.dates import span
from shared_code.fhir.rule_forms import Broken, Rule, any_of, by_names, has, needs, not_both, one_of, rule

_UCUM = "http://unitsofmeasure.org"


def later(first: str | None, second: str | None) -> bool:
    """Whether all of the first date lies after all of the second; dates of other precision may overlap."""
    if first is None or second is None:
        return False
    if len(first) == len(second) and first[19:] == second[19:]:
        return first > second  # same precision and zone, which is the rule: the texts compare as the dates do
    return span(first)[0] >= span(second)[1]


@by_names
def _extension(value: dict[str, Any]) -> Iterator[Broken]:
    if ("extension" in value) == has(value, "value[x]"):
        yield ("needs either a value or extensions of its own, not both (ext-1)",)


def _range(value: dict[str, Any]) -> Iterator[Broken]:
    low, high = value.get("low", {}), value.get("high", {})
    if low.get("code", low.get("unit")) != high.get("code", high.get("unit")):
        return  # of different units neither is known to be lower
    if "value" in low and "value" in high and low["value"] > high["value"]:
        yield ("must not have a low that is higher than its high (rng-2)",)


def _ratio(value: dict[str, Any]) -> Iterator[Broken]:
    numerator, denominator = "numerator" in value, "denominator" in value
    if numerator != denominator or (not numerator and "extension" not in value):
        yield ("needs numerator and denominator, or neither and an extension (rat-1)",)


def _is_negative(name: str) -> Any:
    return lambda value: value.get(name, 0) < 0


def _measured(key: str, system: str = _UCUM) -> tuple[Rule, ...]:
    """What Age, Count, Distance and MoneyQuantity have in common: a value needs its code, of one system."""
    return (
        needs("qty-3", "code", "system"),
        needs(key, "value", "code"),
        rule(key, f"must be {system}", lambda value: value.get("system", system) != system, "system"),
    )


def _is_not_whole(value: dict[str, Any]) -> bool:
    number = value.get("value", 0)
    return isinstance(number, Decimal) and "." in str(number)


_QUANTITY: tuple[Rule, ...] = (needs("qty-3", "code", "system"),)

DATATYPE_RULES: dict[str, tuple[Rule, ...]] = {
    "Age": (*_measured("age-1"), rule("age-1", "must be above 0", lambda value: value.get("value", 1) <= 0, "value")),
    "Attachment": (needs("att-1", "data", "contentType"),),
    "ContactPoint": (needs("cpt-2", "value", "system"),),
    "Count": (
        *_measured("cnt-3"),
        rule("cnt-3", "must be '1' for a count", lambda value: value.get("code", "1") != "1", "code"),
        rule("cnt-3", "must be a whole number", _is_not_whole, "value"),
    ),
    "DataRequirement.codeFilter": (one_of("drq-1", "path", "searchParam"),),
    "DataRequirement.dateFilter": (one_of("drq-2", "path", "searchParam"),),
    "Distance": _measured("dis-1"),
    "Duration": (
        *_QUANTITY,
        rule("drt-1", f"must be {_UCUM}", lambda value: "code" in value and value.get("system") != _UCUM, "system"),
        needs("drt-1", "code", "value"),
    ),
    "Expression": (any_of("exp-1", "expression", "reference"),),
    "Extension": (_extension,),
    "MoneyQuantity": _measured("mqty-1", "urn:iso:std:iso:4217"),
    "Period": (rule("per-1", "must not end before it starts", lambda v: later(v.get("start"), v.get("end"))),),
    "Quantity": _QUANTITY,
    "Range": (_range,),
    "Ratio": (_ratio,),
    "SimpleQuantity": _QUANTITY,
    "Timing.repeat": (
        needs("tim-1", "duration", "durationUnit"),
        needs("tim-2", "period", "periodUnit"),
        rule("tim-4", "must not be negative", _is_negative("duration"), "duration"),
        rule("tim-5", "must not be negative", _is_negative("period"), "period"),
        needs("tim-6", "periodMax", "period"),
        needs("tim-7", "durationMax", "duration"),
        needs("tim-8", "countMax", "count"),
        needs("tim-9", "offset", "when"),
        rule(
            "tim-9",
            "may not be given for a meal itself",
            lambda value: "offset" in value and {"C", "CM", "CD", "CV"} & set(value.get("when", ())),
            "offset",
        ),
        not_both("tim-10", "timeOfDay", "when"),
    ),
    "TriggerDefinition": (
        not_both("trd-1", "data", "timing[x]"),
        needs("trd-2", "condition", "data"),
        rule("trd-3", "needs 'name'", lambda v: v.get("type") == "named-event" and not has(v, "name")),
        rule("trd-3", "needs 'timing'", lambda v: v.get("type") == "periodic" and not has(v, "timing[x]")),
        rule("trd-3", "needs 'data'", lambda v: v.get("type", "").startswith("data-") and not has(v, "data")),
    ),
}  # fmt: skip
