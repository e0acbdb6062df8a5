"""Which reminders an Appointment calls for: of whom, and when.

booked, pending     are reminded of: a time is agreed, or offered and waiting for somebody's word
proposed, waitlist  have no time that anybody can count on
arrived, checked-in, fulfilled, cancelled, noshow, entered-in-error   are over, in one way or another

Source: https://hl7.org/fhir/R4/valueset-appointmentstatus.html
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from shared_code.fhir import Resource, home_of, span

REMINDED_STATUSES = frozenset({"booked", "pending"})
CHANNEL = "email"
STEP = "lead"  # the one reminder so far; not its number of hours, so that a new setting reminds nobody twice
_NAMES = uuid.UUID("6b0c5d0e-53b1-4b51-9a44-3f2f0c1f8a55")
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)$")


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One reminder of one person.

    id       the same for ever for the same appointment, person, instant, channel and step
    person   "Patient/<id>"
    start    of the appointment, in the offset in which it is written
    due_at   when the person is to be reminded
    """

    id: str
    person: str
    start: datetime
    due_at: datetime


def occurrences(appointment: Resource, lead_hours: int, now: datetime) -> list[Occurrence]:
    """The reminders that the Appointment, as it is, calls for; of each patient who has not declined.

    One that is found when its time has passed is due now, as long as the appointment is still ahead.
    """
    start = start_of(appointment)
    if start is None or start <= now or appointment.get("status") not in REMINDED_STATUSES:
        return []
    due_at = max(start.astimezone(UTC) - timedelta(hours=lead_hours), now.astimezone(UTC))
    return [
        Occurrence(_occurrence_id(appointment["id"], person, start), person, start, due_at)
        for person in _invited(appointment)
    ]


def start_of(appointment: Resource) -> datetime | None:
    """The start, in its own offset; None where none is given."""
    text = appointment.get("start")
    if not text:
        return None
    instant = datetime.fromisoformat(span(text)[0])
    match = _OFFSET.search(text)
    if match is None:
        return instant
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return _at_offset(instant, -offset if match[1] == "-" else offset)


def _at_offset(instant: datetime, offset: timedelta) -> datetime:
    try:
        return instant.astimezone(timezone(offset))
    except OverflowError:  # within hours of the first or last instant that there is
        return instant


def _invited(appointment: Resource) -> list[str]:
    """Each patient once, in order."""
    persons = [
        home_of({"resourceType": "Appointment", "participant": [participant]})
        for participant in appointment.get("participant", [])
        if participant and participant.get("status") != "declined"
    ]
    return list(dict.fromkeys(person for person in persons if person))


def _occurrence_id(appointment_id: str, person: str, start: datetime) -> str:
    instant = start.astimezone(UTC).isoformat(timespec="milliseconds")
    return str(uuid.uuid5(_NAMES, "|".join(("Appointment", appointment_id, person, instant, CHANNEL, STEP))))
