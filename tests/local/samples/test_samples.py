"""The sample people: valid, always the same, complete in themselves, and with what makes the portal do something."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from local.samples.additions import appointment_start
from local.samples.histories import bundles
from local.samples.people import PEOPLE
from shared_code.fhir import validate
from shared_code.records.locating import partition_key, partition_of_id

NOW = datetime(2026, 5, 4, 13, 20, tzinfo=UTC)
SHARED = {"Practitioner", "Organization", "PractitionerRole"}


@pytest.fixture(scope="module")
def made():
    return bundles(NOW)


def resources_of(bundle):
    return [entry["resource"] for entry in bundle["entry"]]


def references_in(value):
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for inner in value.values():
            yield from references_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references_in(inner)


def test_care_givers_come_first_and_then_every_person(made):
    assert list(made) == ["practitioners", *(person.id for person in PEOPLE)]


def test_every_bundle_and_resource_is_valid_r4(made):
    for bundle in made.values():
        validate(bundle)
        for resource in resources_of(bundle):
            validate(resource)


def test_the_same_day_makes_the_same_bundles(made):
    assert json.dumps(bundles(NOW)) == json.dumps(made)


def test_another_day_makes_another_appointment_and_nothing_else(made):
    later = bundles(NOW + timedelta(days=3))
    for name, bundle in made.items():
        then = {entry["request"]["url"]: entry["resource"] for entry in later[name]["entry"]}
        differing = [url for url, one in zip(then, resources_of(bundle), strict=True) if then[url] != one]
        assert [url.split("/")[0] for url in differing] == ([] if name == "practitioners" else ["Appointment"])


def test_every_entry_is_a_put_of_its_own_resource(made):
    for bundle in made.values():
        for entry in bundle["entry"]:
            resource = entry["resource"]
            url = f"{resource['resourceType']}/{resource['id']}"
            assert entry["request"] == {"method": "PUT", "url": url}


def test_no_resource_comes_twice(made):
    urls = [entry["request"]["url"] for bundle in made.values() for entry in bundle["entry"]]
    assert len(urls) == len(set(urls))


def test_ids_are_of_the_form_that_the_server_gives(made):
    for person in PEOPLE:
        for resource in resources_of(made[person.id]):
            if resource["resourceType"] == "Patient":
                assert resource["id"] == person.id
            else:
                assert partition_of_id(resource["id"]) == partition_key(f"Patient/{person.id}")


def test_every_reference_points_to_a_resource_of_the_sample(made):
    there = {entry["request"]["url"] for bundle in made.values() for entry in bundle["entry"]}
    pointed = {reference for bundle in made.values() for reference in references_in(bundle)}
    assert pointed <= there


def test_a_person_can_be_reached_by_email_in_a_language_of_theirs(made):
    for person in PEOPLE:
        (patient,) = [one for one in resources_of(made[person.id]) if one["resourceType"] == "Patient"]
        first = min(patient["telecom"], key=lambda telecom: telecom["rank"])
        assert (first["system"], first["value"]) == ("email", person.email)
        assert patient["communication"][0]["language"]["coding"][0]["code"] == person.language


def test_a_history_has_all_that_the_portal_shows(made):
    for person in PEOPLE:
        types = {resource["resourceType"] for resource in resources_of(made[person.id])}
        assert types >= {
            *("Patient", "Appointment", "Device", "Immunization", "DocumentReference", "Observation"),
            *("Condition", "Encounter", "DiagnosticReport", "MedicationRequest"),
        }
        assert not types & SHARED


@pytest.mark.parametrize("hour", range(24))
def test_the_appointment_is_tomorrow_and_its_reminder_is_due(hour):
    now = datetime(2026, 5, 4, hour, 17, tzinfo=UTC)
    start = appointment_start(now)
    assert start.date() == now.date() + timedelta(days=1)
    assert now < start <= now + timedelta(hours=24)
