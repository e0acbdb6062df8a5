"""FHIR's primitive types: which JSON value each of them is, and what that value may be."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from shared_code.fhir.findings import kind_of

# Says what is wrong with a value, or None. The text never repeats the value: it may be clinical.
type FaultOf = Callable[[Any], str | None]

MAX_STRING = 1024 * 1024  # characters

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_CODE = re.compile(r"[^ \t\r\n]+([ \t\r\n][^ \t\r\n]+)*")
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_ELEMENT_ID = re.compile(r"[^\x00-\x20]+")
_URI = re.compile(r"[^ \t\r\n]+")
_OID = re.compile(r"urn:oid:[0-2](\.(0|[1-9][0-9]*))+")
_UUID = re.compile(r"urn:uuid:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_BLANKS = str.maketrans("", "", " \t\r\n")

_YEAR = r"(?P<year>(?!0000)[0-9]{4})"
_MONTH = r"(?P<month>0[1-9]|1[0-2])"
_DAY = r"(?P<day>0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?"
_ZONE = r"(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)"
_DATE = re.compile(f"{_YEAR}(-{_MONTH}(-{_DAY})?)?")
_DATE_TIME = re.compile(f"{_YEAR}(-{_MONTH}(-{_DAY}(T{_CLOCK}{_ZONE})?)?)?")
_INSTANT = re.compile(f"{_YEAR}-{_MONTH}-{_DAY}T{_CLOCK}{_ZONE}")
_TIME = re.compile(_CLOCK)


def _string(value: Any) -> str | None:
    if type(value) is not str:
        return f"must be a string, not {kind_of(value)}"
    if not value:
        return "must not be empty; leave it out instead"
    if _CONTROL.search(value):
        return "must not hold control characters"
    if len(value) > MAX_STRING:
        return "must not be longer than 1,048,576 characters"
    return None


def _matching(pattern: re.Pattern[str], wanted: str) -> FaultOf:
    full = pattern.fullmatch

    def fault_of(value: Any) -> str | None:
        if type(value) is str and full(value):
            return None if len(value) <= MAX_STRING else _string(value)
        if type(value) is not str:
            return f"must be a string, not {kind_of(value)}"
        return f"must be {wanted}" if value else "must not be empty; leave it out instead"

    return fault_of


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _calendar(pattern: re.Pattern[str], wanted: str) -> FaultOf:
    matching = _matching(pattern, wanted)

    def fault_of(value: Any) -> str | None:
        if fault := matching(value):
            return fault
        # only the days 29, 30 and 31 are missing from some months
        if value[8:10] > "28" and not _is_day(value[:10]):
            return "must be a day that the calendar has"
        return None

    return fault_of


def _boolean(value: Any) -> str | None:
    return None if type(value) is bool else f"must be true or false, not {kind_of(value)}"


def _integer(lowest: int) -> FaultOf:
    def fault_of(value: Any) -> str | None:
        if type(value) is not int:
            return "must be a whole number" + ("" if isinstance(value, Decimal | float) else f", not {kind_of(value)}")
        if not lowest <= value <= 2**31 - 1:
            return f"must be a number from {lowest:,} to {2**31 - 1:,}"
        return None

    return fault_of


def _decimal(value: Any) -> str | None:
    if type(value) is Decimal or type(value) is int:
        return None
    if type(value) is float:
        return None if math.isfinite(value) else "must be a finite number"
    return f"must be a number, not {kind_of(value)}"


def _base64(value: Any) -> str | None:
    if type(value) is not str:
        return f"must be a string, not {kind_of(value)}"
    text = value.translate(_BLANKS)
    if not text:
        return "must not be empty; leave it out instead"
    return None if len(text) % 4 == 0 and _BASE64.fullmatch(text) else "must be base64"


ELEMENT_ID = "Element.id"  # no type of R4: it says 'string', and in words "that does not contain spaces"

PRIMITIVES: dict[str, FaultOf] = {
    ELEMENT_ID: _matching(_ELEMENT_ID, "an id without spaces"),
    "base64Binary": _base64,
    "boolean": _boolean,
    "canonical": _matching(_URI, "a canonical url without blanks"),
    "code": _matching(_CODE, "a code: no blanks around it and single ones in it"),
    "date": _calendar(_DATE, "a date such as 2024, 2024-05 or 2024-05-17"),
    "dateTime": _calendar(
        _DATE_TIME,
        "a date such as 2024, 2024-05 or 2024-05-17, or with seconds and time zone 2024-05-17T10:30:00+02:00",
    ),
    "decimal": _decimal,
    "id": _matching(_ID, "an id: 1 to 64 letters, digits, hyphens and dots"),
    "instant": _calendar(_INSTANT, "an instant with seconds and time zone such as 2024-05-17T10:30:00.000Z"),
    "integer": _integer(-(2**31)),
    "markdown": _string,
    "oid": _matching(_OID, "an oid such as urn:oid:1.2.3"),
    "positiveInt": _integer(1),
    "string": _string,
    "time": _matching(_TIME, "a time such as 10:30:00, without a time zone"),
    "unsignedInt": _integer(0),
    "uri": _matching(_URI, "a uri without blanks"),
    "url": _matching(_URI, "a url without blanks"),
    "uuid": _matching(_UUID, "a uuid such as urn:uuid:c757873d-ec9a-4326-a141-556f43239520"),
}


def _day_that_every_month_has(pattern: re.Pattern[str]) -> Callable[[str], object]:
    return re.compile(pattern.pattern.replace(_DAY, "(0[1-9]|1[0-9]|2[0-8])")).fullmatch


# One call each that proves almost every value right, if it is a string of 1 to MAX_STRING characters; what it does not
# prove may still be right and is for PRIMITIVES to judge. Validation spends most of its time here.
PROOFS: dict[str, Callable[[str], object]] = {
    ELEMENT_ID: _ELEMENT_ID.fullmatch,
    "canonical": _URI.fullmatch,
    "code": _CODE.fullmatch,
    "date": _day_that_every_month_has(_DATE),
    "dateTime": _day_that_every_month_has(_DATE_TIME),
    "id": _ID.fullmatch,
    "instant": _day_that_every_month_has(_INSTANT),
    "markdown": str.isprintable,
    "string": str.isprintable,
    "uri": _URI.fullmatch,
    "url": _URI.fullmatch,
}
