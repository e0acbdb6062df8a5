"""Entries of bundles, read: what each asks for, and what it asks amiss, with its place."""

from __future__ import annotations

from typing import Any

import pytest

from shared_code import errors
from shared_code.fhir import validate
from shared_code.loading.entries import Entry, read_entries, require_distinct, require_read
from tests.builders import observation, patient
from tests.system.fhir_answers import asked, batch, post, put, transaction

BASE = "https://portal.example.org/api/fhir"


def entries(*raw: dict[str, Any]) -> list[Entry]:
    return require_read(read_entries(transaction(*raw)))


def test_an_entry_says_what_it_asks_for() -> None:
    create, update, delete, read, search = entries(
        post(observation(), "urn:uuid:1", "identifier=a|b"),
        put(observation(id="w"), 'W/"2"'),
        asked("DELETE", "Observation/w"),
        asked("GET", "/Observation/w"),
        asked("GET", "Observation?code=x&date=y"),
    )
    assert (create.method, create.type, create.id, create.full_url) == ("POST", "Observation", None, "urn:uuid:1")
    assert create.if_none_exist == "identifier=a|b"
    assert (update.id, update.if_match, update.resource) == ("w", 'W/"2"', observation(id="w"))
    assert (delete.method, delete.id, delete.resource) == ("DELETE", "w", None)
    assert (read.id, read.query) == ("w", "")
    assert (search.id, search.query) == (None, "code=x&date=y")
    assert [one.path for one in (create, search)] == ["Bundle.entry[0]", "Bundle.entry[4]"]


AMISS: list[tuple[dict[str, Any], str]] = [
    ({}, "request"),
    ({"request": "POST Observation"}, "request"),
    ({"request": {"method": "POST"}}, "request.url"),
    ({"request": {"method": "POST", "url": 5}}, "request.url"),
    ({"request": {"url": "Observation"}}, "request.method"),
    ({"request": {"method": ["POST"], "url": "Observation"}}, "request.method"),
    ({"request": {"method": "post", "url": "Observation"}}, "request.method"),
    (asked("PATCH", "Observation/w"), "request.method"),
    (asked("GET", "Elephant/1"), "request.url"),
    (asked("GET", "$everything"), "request.url"),
    (asked("GET", "Patient/anna/_history/1"), "request.url"),
    (asked("GET", "Patient/anna/$everything"), "request.url"),
    (asked("GET", "http://example.org/fhir/Patient/1"), "request.url"),
    (asked("DELETE", "Observation"), "request.url"),
    (asked("DELETE", "Observation?code=x"), "request.url"),
    (asked("DELETE", "Observation/w/_history/1"), "request.url"),
    ({"resource": observation(), "request": {"method": "POST", "url": "Observation/w"}}, "request.url"),
    ({"resource": observation(), "request": {"method": "POST", "url": "Observation?x=y"}}, "request.url"),
    ({"resource": observation(), "request": {"method": "PUT", "url": "Observation/w"}}, "resource.id"),
    ({"fullUrl": "http://h/fhir/Observation/v"} | put(observation(id="w")), "fullUrl"),
    ({"fullUrl": "http://h/fhir/Patient/w"} | put(observation(id="w")), "fullUrl"),
    ({"resource": patient(), "request": {"method": "POST", "url": "Observation"}}, "resource"),
    ({"resource": [observation()], "request": {"method": "POST", "url": "Observation"}}, "resource"),
    (asked("PUT", "Observation/w"), "resource"),
]


@pytest.mark.parametrize(("raw", "path"), AMISS)
def test_an_entry_that_asks_amiss_is_named_with_its_place(raw: dict[str, Any], path: str) -> None:
    _, wrong = read_entries(batch(post(observation()), raw))
    assert isinstance(wrong, errors.Malformed)
    assert wrong.issues[0].path == f"Bundle.entry[1].{path}"


def test_the_id_of_a_full_url_is_that_of_an_update_and_anything_of_a_create() -> None:
    update, create, named = entries(
        put(observation(id="w")) | {"fullUrl": f"{BASE}/Observation/w"},
        post(observation(id="other"), f"{BASE}/Observation/v"),
        put(observation(id="v")) | {"fullUrl": "urn:uuid:1"},
    )
    assert (update.id, create.id, named.full_url) == ("w", None, "urn:uuid:1")


@pytest.mark.parametrize("wrong", [5, ["x"], {"x": 1}, True, None])
@pytest.mark.parametrize("member", ["fullUrl", "request.ifMatch", "request.ifNoneMatch", "request.ifNoneExist"])
def test_a_member_that_is_no_string_is_left_to_validation(member: str, wrong: object) -> None:
    raw = put(observation(id="w")) if member == "request.ifNoneMatch" else post(observation())
    first, _, last = member.rpartition(".")
    (raw[first] if first else raw)[last] = wrong
    read = entries(raw, post(patient(), "urn:uuid:1"))
    require_distinct(read)
    assert (read[0].full_url, read[0].if_match, read[0].if_none_exist, read[0].if_none_match) == (None,) * 4
    with pytest.raises(errors.Invalid) as refusal:
        validate(transaction(*(entry.raw for entry in read)))
    assert refusal.value.issues[0].path == f"Bundle.entry[0].{member}"


def test_all_that_ask_amiss_are_named_together() -> None:
    with pytest.raises(errors.Malformed) as refusal:
        entries(*(raw for raw, _ in AMISS))
    assert len(refusal.value.issues) == len(AMISS)


@pytest.mark.parametrize(
    "bundle",
    [
        patient(),
        {"resourceType": "Bundle"},
        {"resourceType": "Bundle", "type": "collection"},
        {"resourceType": "Bundle", "type": ["batch"]},
        {"resourceType": "Bundle", "type": "batch", "entry": {}},
    ],
    ids=str,
)
def test_what_is_no_transaction_or_batch_is_refused(bundle: dict[str, Any]) -> None:
    with pytest.raises(errors.Malformed):
        read_entries(bundle)


@pytest.mark.parametrize("junk", [None, "x", 1, [], [{}]])
def test_an_entry_that_is_no_object_is_named_and_hides_no_other(junk: Any) -> None:
    good = {"request": {"method": "GET", "url": "Patient/a"}}
    first, second = read_entries({"resourceType": "Bundle", "type": "batch", "entry": [junk, good]})
    assert isinstance(first, errors.Malformed)
    assert first.issues[0].path == "Bundle.entry[0]"
    assert not isinstance(second, errors.Malformed)


def test_a_bundle_without_entries_has_none() -> None:
    assert read_entries({"resourceType": "Bundle", "type": "batch"}) == []


@pytest.mark.parametrize(
    "raw",
    [
        [put(observation(id="w")), put(observation(id="w"))],
        [put(observation(id="w")), asked("DELETE", "Observation/w")],
        [asked("DELETE", "Observation/w"), asked("DELETE", "Observation/w")],
        [post(observation(), "urn:uuid:1"), post(patient(), "urn:uuid:1")],
    ],
    ids=["put twice", "put and delete", "delete twice", "one fullUrl"],
)
def test_the_same_resource_twice_is_refused_with_both_places(raw: list[dict[str, Any]]) -> None:
    with pytest.raises(errors.Malformed, match=r"Bundle\.entry\[0\]") as refusal:
        require_distinct(entries(*raw))
    (issue,) = refusal.value.issues
    assert (issue.code, issue.path) == ("duplicate", "Bundle.entry[1]")


def test_different_resources_and_reads_may_repeat() -> None:
    require_distinct(
        entries(
            post(observation()),
            post(observation()),
            put(observation(id="w")),
            put(patient(id="w")),
            asked("GET", "Observation/w"),
            asked("GET", "Observation/w"),
        )
    )
