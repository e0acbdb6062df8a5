"""The email of a planned reminder, made of what the records say when it is sent: or why there is none any more."""

from __future__ import annotations

from datetime import datetime

from shared_code import errors
from shared_code.azure.cosmos import Item
from shared_code.fhir import Resource, parse
from shared_code.identity import Caller, read_scopes
from shared_code.notifications import Message, Unsent, may_be_written_to, preferred_email, preferred_language
from shared_code.records import RecordStore, Stored
from shared_code.reminders.schedule import occurrences, start_of
from shared_code.reminders.texts import DEFAULT_LANGUAGE, LANGUAGES, reminder

# The reminders read for nobody but themselves, and no more than they need.
READER = Caller("reminders", "system", None, read_scopes(["system/Appointment.r", "system/Patient.r"]))


class Letters:
    """Composes; the last look at the Appointment and the Patient before sending."""

    def __init__(self, store: RecordStore, lead_hours: int) -> None:
        self._store, self._lead_hours = store, lead_hours

    async def compose(self, item: Item, now: datetime) -> Message | Unsent:
        """The email for an item of the outbox. Raises Busy where the store does not yet show what was planned for."""
        patient = await self._read(item["person"])
        stored = await self._read(item["about"])  # last, since from here on a change of it comes too late
        if stored is None:
            return Unsent("dropped", "deleted")
        if stored.version < item["version"]:
            raise errors.Busy(f"notification {item['id']}: its appointment is read in an older version than planned")
        appointment = parse(str(stored.text))
        if item["id"] not in {one.id for one in occurrences(appointment, self._lead_hours, now)}:
            return Unsent("dropped", "moved or cancelled")
        return _letter(appointment, parse(str(patient.text)) if patient else None, now)

    async def _read(self, reference: str) -> Stored | None:
        resource_type, resource_id = reference.split("/", 1)
        try:
            return await self._store.read(READER, resource_type, resource_id)
        except (errors.NotFound, errors.Gone):
            return None


def _letter(appointment: Resource, patient: Resource | None, now: datetime) -> Message | Unsent:
    start = start_of(appointment)
    if start is None or patient is None:
        return Unsent("undeliverable", "no such patient")
    if not may_be_written_to(patient):
        return Unsent("undeliverable", "deceased or out of use")
    address = preferred_email(patient, now)
    if address is None:
        return Unsent("undeliverable", "no email address")
    words = reminder(preferred_language(patient, LANGUAGES, DEFAULT_LANGUAGE), start)
    return Message(to=address, subject=words.subject, text=words.text, html=words.html)
