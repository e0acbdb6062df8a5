"""What a caller asks of the statistics: read from the query, checked against who asks, and answered as JSON. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from shared_code import errors
from shared_code.azure.cosmos import Item
from shared_code.identity import Caller, may_see, require_scope

_PARAMETERS = ("code", "patient", "from", "to")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)  # a bar or a backslash of a code, as in searches
_PATIENT = re.compile(r"(?:Patient/)?([A-Za-z0-9\-.]{1,64})")


@dataclass(frozen=True, slots=True)
class Question:
    """Daily statistics of one code of one person.

    person       "Patient/<id>"
    code         "system|code", "|code" for codings without a system
    first, last  days, both included; None: open
    """

    person: str
    code: str
    first: date | None
    last: date | None


def read_question(caller: Caller, query: Iterable[tuple[str, str]]) -> Question:
    """The question of a query string's parameters, if the caller may ask it; others than ours are left alone.

    raises   Malformed, with the parameter's name; Forbidden: no scope for it; NotFound: not a person the caller may see
    """
    require_scope(caller, "read", "Observation")
    require_scope(caller, "search", "Observation")
    given = _given(query)
    person = _person(caller, given.get("patient"))
    if not may_see(caller, "Observation", person):
        raise errors.NotFound(f"there is no {person}")
    question = Question(person, _code(given.get("code")), _day(given, "from"), _day(given, "to"))
    if question.first and question.last and question.first > question.last:
        raise errors.Malformed(f"from: {question.first} is after to, {question.last}")
    return question


def answer(question: Question, days: Sequence[Item], as_of: datetime | None) -> dict[str, Any]:
    """The JSON of an answer; its numbers are Decimals, with the digits they were recorded with.

    as_of   up to when every change has been counted; None: the first count is still going on
    """
    return {
        "patient": question.person,
        "code": question.code,
        "from": question.first.isoformat() if question.first else None,
        "to": question.last.isoformat() if question.last else None,
        "asOf": as_of.isoformat(timespec="milliseconds").replace("+00:00", "Z") if as_of else None,
        "days": [_day_answer(day) for day in days],
    }


def _day_answer(day: Item) -> dict[str, Any]:
    numbers = day["numbers"]
    extent = {name: Decimal(numbers[name]) for name in ("min", "max", "mean")}
    return {"date": day["day"], "unit": day["unit"], "count": numbers["count"], **extent}


def _given(query: Iterable[tuple[str, str]]) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in query:
        if name in given:
            raise errors.Malformed(f"{name}: given more than once")
        if name in _PARAMETERS:
            given[name] = value
    return given


def _person(caller: Caller, patient: str | None) -> str:
    if patient is None and caller.person is not None:
        return caller.person
    if patient is None:
        raise errors.Malformed("patient: whose statistics? Give the id of a Patient")
    match = _PATIENT.fullmatch(patient)
    if match is None:
        raise errors.Malformed(f"patient: {patient[:70]!r} is neither an id nor Patient/ and an id")
    return f"Patient/{match[1]}"


def _code(code: str | None) -> str:
    if code is None:
        raise errors.Malformed("code: statistics of what? Give system|code, or |code for codes without a system")
    _, bar, name = code.rpartition("|")
    if not bar or not name:
        raise errors.Malformed(f"code: {code[:70]!r} is not of the form system|code")
    return _ESCAPED.sub(r"\1", code)


def _day(given: dict[str, str], name: str) -> date | None:
    text = given.get(name)
    if text is None:
        return None
    fault = errors.Malformed(f"{name}: {text[:40]!r} is not a day, such as 2024-05-01")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise fault from None
    if day.isoformat() != text:  # other notations of ISO 8601, such as 20240501
        raise fault
    return day
