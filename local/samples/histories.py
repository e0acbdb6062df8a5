"""A sample person's history: carebundle's visits, results and treatment under ids of ours, and the additions."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from carebundle import generate_bundle, generate_history, to_json

from local.samples import additions
from local.samples.people import CARE_GIVERS, ORGANIZATION, PEOPLE, PRACTITIONER, Person, transaction
from shared_code.records.locating import partition_key, server_id

Resource = dict[str, Any]
VISITS = 6
# The time-ordered part of an id needs a moment; one for all keeps the ids the same for ever.
MOMENT_MS = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)


def bundles(now: datetime) -> dict[str, dict[str, Any]]:
    """Name → transaction bundle of PUTs, the care givers' first, then one per person.

    now  UTC; only the Appointment of tomorrow depends on it
    """
    return {"practitioners": CARE_GIVERS, **{person.id: history(person, now) for person in PEOPLE}}


def history(person: Person, now: datetime) -> dict[str, Any]:
    """A transaction bundle of everything at home with `person`."""
    return transaction([*_from_carebundle(person), *_additions(person, now)])


def sample_id(person: Person, role: str) -> str:
    """An id such as the server would have given, always the same for the same role in the person's history."""
    drawn = hashlib.sha256(f"{person.id}/{role}".encode()).digest()
    return server_id(partition_key(f"Patient/{person.id}"), MOMENT_MS, drawn)


def _from_carebundle(person: Person) -> list[Resource]:
    """The last visit with its results and orders, and the blood pressures of the visits before it."""
    visit = _entries(generate_bundle(profile=person.profile, seed=person.seed, sex=person.sex))
    earlier = _entries(generate_history(profile=person.profile, seed=person.seed, sex=person.sex, visits=VISITS))
    earlier = {url: one for url, one in earlier.items() if one["resourceType"] in ("Encounter", "Observation")}
    references: dict[str, str] = {}
    for url, resource in (visit | earlier).items():
        match resource["resourceType"]:
            case "Patient":
                references[url] = f"Patient/{person.id}"
            case "Practitioner":
                references[url] = f"Practitioner/{PRACTITIONER}"  # one care giver for all, loaded by itself
            case resource_type:
                references[url] = f"{resource_type}/{sample_id(person, url)}"
    return [
        _adopted(person, resource, references[url].partition("/")[2], references)
        for url, resource in (visit | earlier).items()
        if resource["resourceType"] != "Practitioner"
    ]


def _entries(bundle: Any) -> dict[str, Resource]:
    """fullUrl → resource; carebundle names what refers to what by `urn:uuid:`."""
    return {entry["fullUrl"]: entry["resource"] for entry in json.loads(to_json(bundle))["entry"]}


def _adopted(person: Person, resource: Resource, resource_id: str, references: dict[str, str]) -> Resource:
    resource = {"resourceType": resource["resourceType"], "id": resource_id, **_rewritten(resource, references)}
    if resource["resourceType"] == "Patient":
        return additions.contactable(resource, person)
    if resource["resourceType"] == "Encounter":
        return {**resource, "serviceProvider": {"reference": f"Organization/{ORGANIZATION}"}}
    return resource


def _rewritten(value: Any, references: dict[str, str]) -> Any:
    """`value` with the real reference wherever a `urn:uuid:` of this history stands."""
    if isinstance(value, dict):
        return {name: _rewritten(inner, references) for name, inner in value.items()}
    if isinstance(value, list):
        return [_rewritten(inner, references) for inner in value]
    return references.get(value, value) if isinstance(value, str) else value


def _additions(person: Person, now: datetime) -> list[Resource]:
    device_id = sample_id(person, "device")
    readings = [sample_id(person, f"heart-rate-{number}") for number in range(additions.HOME_READINGS)]
    day = additions.appointment_start(now).date()
    return [
        # One per day: an appointment of yesterday stays what it was when the sample is made again today.
        additions.appointment(person, sample_id(person, f"appointment-{day}"), now),
        additions.device(person, device_id),
        *additions.home_readings(person, device_id, readings),
        additions.immunization(person, sample_id(person, "immunization")),
        additions.letter(person, sample_id(person, "letter")),
    ]
