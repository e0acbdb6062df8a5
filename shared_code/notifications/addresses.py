"""Where a person wants to be written to, in which language, and whether at all."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from shared_code.fhir import Resource, span

# RFC 5321: a dot-string before the at sign, a domain behind it; an email to anything else is refused for ever.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"(?=.{{1,254}}\Z)(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})+")
_NO_RANK = 1_000_000_000
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?=-|$)")


def preferred_email(patient: Resource, now: datetime) -> str | None:
    """The email address among the Patient's telecoms that holds now and has the lowest rank; the first of equals.

    Not: one whose `use` is old, whose period has not begun or has ended, or that is no address at all.
    """
    usable = [
        (point.get("rank", _NO_RANK), place, address)
        for place, point in enumerate(_objects(patient, "telecom"))
        if point.get("system") == "email" and point.get("use") != "old"
        if (address := _address(point)) and _holds(point, now)
    ]
    return min(usable)[2] if usable else None


def preferred_language(patient: Resource, offered: frozenset[str], default: str) -> str:
    """The first of the Patient's languages that is offered, those marked as preferred before others; else `default`.

    offered   ISO 639 codes: 'nl' is found for 'nl-BE' too
    """
    spoken = sorted(_objects(patient, "communication"), key=lambda one: one.get("preferred") is not True)
    for one in spoken:
        for coding in _objects(one.get("language", {}), "coding"):
            match = _LANGUAGE.match(str(coding.get("code", "")))
            if match and match[0].lower() in offered:
                return match[0].lower()
    return default


def may_be_written_to(patient: Resource) -> bool:
    """Not a person who died, nor a record that is out of use."""
    died = patient.get("deceasedBoolean") is True or "deceasedDateTime" in patient
    return not died and patient.get("active") is not False


def _address(point: dict[str, Any]) -> str | None:
    """The address of a telecom, also where it is written as a link; None where it is none."""
    value = point.get("value")
    if not isinstance(value, str):
        return None
    address = value.strip()
    if address[:7].lower() == "mailto:":
        address = address[7:].partition("?")[0]
    local, at, domain = address.rpartition("@")
    try:
        address = f"{local}{at}{domain.encode('idna').decode()}"  # a domain of other letters has a name in these
    except UnicodeError:
        return None
    return address if _ADDRESS.fullmatch(address) else None


def _holds(point: dict[str, Any], now: datetime) -> bool:
    period = point.get("period", {})
    moment = f"{now.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
    start, end = period.get("start"), period.get("end")
    return (not start or span(start)[0] <= moment) and (not end or moment < span(end)[1])


def _objects(parent: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The elements of a list; JSON FHIR has nulls in it where only an extension of an element is there."""
    return [one for one in parent.get(name, []) if isinstance(one, dict)]
