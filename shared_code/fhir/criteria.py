"""One query parameter of a search, understood: which stored values it asks for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from shared_code.errors import Malformed
from shared_code.fhir.dates import span
from shared_code.fhir.references import own_reference, relative, unversioned
from shared_code.fhir.resource_types import resource_types
from shared_code.fhir.search_values import SearchParameter, search_parameters
from shared_code.fhir.tokens import escaped


class DateRange(NamedTuple):
    """The span [lo, hi) that a date in a query means, and how a stored span [s.lo, s.hi) must lie to it.

    eq  inside it            lo <= s.lo and s.hi <= hi
    ne  not inside it        s.lo < lo or s.hi > hi
    gt  reaches beyond it    s.hi > hi
    ge  gt or eq             s.hi > hi or s.lo >= lo
    lt  begins before it     s.lo < lo
    le  lt or eq             s.lo < lo or s.hi <= hi
    sa  begins after it      s.lo >= hi
    eb  ends before it       s.hi <= lo
    ap  overlaps it          s.lo < hi and s.hi > lo

    One stored span that fits is enough. Texts of fixed width compare as the instants do.
    """

    prefix: str
    lo: str
    hi: str


_FITS: dict[str, Callable[[str, str, str, str], bool]] = {
    "eq": lambda lo, hi, a, b: lo <= a and b <= hi,
    "ne": lambda lo, hi, a, b: a < lo or b > hi,
    "gt": lambda lo, hi, a, b: b > hi,
    "ge": lambda lo, hi, a, b: b > hi or lo <= a,
    "lt": lambda lo, hi, a, b: a < lo,
    "le": lambda lo, hi, a, b: a < lo or b <= hi,
    "sa": lambda lo, hi, a, b: a >= hi,
    "eb": lambda lo, hi, a, b: b <= lo,
    "ap": lambda lo, hi, a, b: a < hi and b > lo,
}


@dataclass(frozen=True, slots=True)
class Criterion:
    """What one query parameter asks of the stored search values.

    missing        True: no value under the parameter's name; False: at least one; None: not asked
    negated        no stored value may be one of the alternatives; a resource without values fits
    alternatives   any of them is enough: for token and reference the stored strings, for date DateRange; there are none
                   where nothing can fit, as of `subject:Patient=Group/1`
    """

    parameter: SearchParameter
    missing: bool | None = None
    negated: bool = False
    alternatives: tuple[str, ...] | tuple[DateRange, ...] = ()

    def matches(self, stored: Mapping[str, list[Any]]) -> bool:
        """Whether search values as `search_values` gives them fit."""
        values = stored.get(self.parameter.name, [])
        if self.missing is not None:
            return self.missing is not bool(values)
        if self.parameter.kind == "date":
            ranges = (asked for asked in self.alternatives if isinstance(asked, DateRange))
            return any(_FITS[asked.prefix](asked.lo, asked.hi, s["lo"], s["hi"]) for asked in ranges for s in values)
        return self.negated is not any(alternative in values for alternative in self.alternatives)


def criterion(resource_type: str, name: str, value: str, base_url: str = "") -> Criterion:
    """One query parameter as it was sent, without percent signs: ('Observation', 'code:not', 'a|b,c').

    base_url  of this server: a url that begins with it is looked for as the relative reference that is stored for it
    raises    Malformed: an unknown parameter or modifier, a value of the wrong form; the text names it
    """
    base, _, modifier = name.partition(":")
    parameter = search_parameters(resource_type).get(base)
    if parameter is None:
        raise Malformed(f"{resource_type} has no search parameter '{base}' here.")
    if modifier == "missing":
        if value not in ("true", "false"):
            raise Malformed(f"{name} is true or false, not '{value}'.")
        return Criterion(parameter, missing=value == "true")
    parts = [part for part in _split(value, ",") if part]
    if not parts:
        raise Malformed(f"The search parameter '{name}' has no value.")
    if parameter.kind == "token":
        if modifier not in ("", "not"):
            raise _unknown_modifier(name, modifier)
        forms = tuple(_token(part, parameter.implied) for part in parts)
        return Criterion(parameter, negated=modifier == "not", alternatives=forms)
    if parameter.kind == "reference":
        if modifier and modifier not in resource_types():
            raise _unknown_modifier(name, modifier)
        targets = (modifier,) if modifier else parameter.targets
        urls = (_unescaped(part) for part in parts)
        found = (text for url in urls for text in _reference(name, own_reference(url, base_url) or url, targets))
        return Criterion(parameter, alternatives=tuple(dict.fromkeys(found)))
    if modifier:
        raise _unknown_modifier(name, modifier)
    return Criterion(parameter, alternatives=tuple(_date(name, part) for part in parts))


def _unknown_modifier(name: str, modifier: str) -> Malformed:
    return Malformed(f"The modifier ':{modifier}' of '{name}' is not supported.")


def _token(part: str, implied: frozenset[str]) -> str:
    """The stored form that 'code', 'system|code', '|code' or 'system|' asks for; an implied system is not stored."""
    pieces = [_unescaped(piece) for piece in _split(part, "|")]
    if len(pieces) > 2 or not any(pieces):
        raise Malformed(
            f"'{part}' is not a token: [system]|[code], with a backslash before a bar that belongs to either."
        )
    if len(pieces) == 2 and pieces[0] in implied and pieces[1]:
        pieces[0] = ""
    return "|".join(escaped(piece) for piece in pieces)


def _reference(name: str, value: str, targets: tuple[str, ...]) -> list[str]:
    """The stored forms that '123', 'Patient/123' or a url asks for; an id alone may be of any target type."""
    if relative(value):
        kind = value.partition("/")[0]
        if kind not in resource_types():
            raise Malformed(f"'{value}' of '{name}': there is no resource type {kind}.")
        return [unversioned(value)] if ":" not in name or kind == targets[0] else []
    if ":" in value:
        return [unversioned(value)]
    if not relative(f"Patient/{value}"):
        raise Malformed(f"'{value}' of '{name}' is neither an id, nor Type/id, nor a url.")
    return [f"{target}/{value}" for target in targets if target in resource_types()]


def _date(name: str, part: str) -> DateRange:
    prefix, text = (part[:2], part[2:]) if part[:2].isalpha() else ("eq", part)
    if prefix not in _FITS:
        raise Malformed(f"'{prefix}' of '{name}={part}' is no prefix; {', '.join(_FITS)} are.")
    try:
        lo, hi = span(text.replace(" ", "+"))  # an unescaped plus of a time zone arrives as a blank
    except ValueError:
        raise Malformed(
            f"'{text}' of '{name}' is not a date such as 2024, 2024-05-17 or 2024-05-17T10:00:00Z."
        ) from None
    return DateRange(prefix, lo, hi)


_ESCAPE_OR_SEPARATOR = re.compile(r"\\.|[,|]", re.DOTALL)


def _split(text: str, separator: str) -> list[str]:
    """The parts between separators that no backslash escapes; escapes stay as they are."""
    cuts = [match.start() for match in _ESCAPE_OR_SEPARATOR.finditer(text) if match[0] == separator]
    return [text[start:end] for start, end in zip([0, *(cut + 1 for cut in cuts)], [*cuts, len(text)], strict=True)]


def _unescaped(text: str) -> str:
    """`text` without FHIR's escapes of comma, bar, dollar and backslash."""
    if "\\" not in text:
        return text
    characters = iter(text)
    return "".join(next(characters, "\\") if character == "\\" else character for character in characters)
