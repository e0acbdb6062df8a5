"""Sample people with whole histories: always the same ids and contents, so that loading them again changes nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from local.samples.histories import history
from local.samples.people import CARE_GIVERS, PEOPLE, PRACTITIONER, Person

__all__ = ["CARE_GIVERS", "PEOPLE", "PRACTITIONER", "Person", "bundles"]


def bundles(now: datetime) -> dict[str, dict[str, Any]]:
    """Name → transaction bundle of PUTs, the care givers' first, then one per person.

    now  UTC; only the Appointment of tomorrow depends on it
    """
    return {"practitioners": CARE_GIVERS, **{person.id: history(person, now) for person in PEOPLE}}
