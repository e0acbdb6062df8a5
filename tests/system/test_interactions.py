"""FHIR's interactions on one resource: what they answer, which headers tell what, and what the versions are."""

from __future__ import annotations

import time
import uuid
from datetime import datetime, timedelta, timezone

import httpx
import pytest

from shared_code.fhir import dump
from tests.builders import observation, organization, patient
from tests.system.fhir_answers import FHIR, issue, link, pages, resources

BASE = "/fhir/Observation"


def made(api: httpx.Client, patient_id: str) -> httpx.Response:
    answer = api.post(BASE, json=observation(patient_id))
    assert answer.status_code == 201, answer.text
    return answer


def test_a_create_tells_where_the_resource_is_and_in_which_version(api: httpx.Client, anna: str) -> None:
    answer = made(api, anna)
    created = answer.json()
    assert answer.headers["ETag"] == 'W/"1"'
    assert answer.headers["Last-Modified"].endswith(" GMT")
    assert answer.headers["Location"] == f"{api.base_url}fhir/Observation/{created['id']}/_history/1"
    assert created["meta"]["versionId"] == "1"
    assert api.get(answer.headers["Location"]).json() == created


def test_a_read_gives_what_was_created_with_its_digits(api: httpx.Client, anna: str) -> None:
    text = dump(observation(anna)).replace('"value":72', '"value":72.500')
    created = api.post(BASE, content=text, headers={"Content-Type": f"{FHIR}; charset=utf-8"})
    answer = api.get(f"{BASE}/{created.json()['id']}")
    assert answer.status_code == 200
    assert '"value":72.500' in answer.text
    assert (answer.headers["ETag"], answer.headers["Content-Type"]) == ('W/"1"', f"{FHIR}; charset=utf-8")
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_create_ignores_the_id_that_is_sent(api: httpx.Client, anna: str) -> None:
    answer = api.post(BASE, json=observation(anna, id="of-the-client"))
    assert answer.status_code == 201
    assert answer.json()["id"] != "of-the-client"
    issue(api.get(f"{BASE}/of-the-client"), 404)


def test_head_answers_as_get_does_without_a_body(api: httpx.Client, anna: str) -> None:
    own = made(api, anna).json()["id"]
    for address in (f"{BASE}/{own}", f"{BASE}?patient={anna}", f"{BASE}/{own}/_history", f"{BASE}/{own}/_history/1"):
        head, get = api.head(address), api.get(address)
        assert (head.status_code, head.content) == (200, b""), address
        assert head.headers.get("ETag") == get.headers.get("ETag")


@pytest.mark.parametrize("sent", ['W/"1"', '"1"', 'W/"7", W/"1"', "*"])
def test_a_read_of_the_version_at_hand_is_not_modified(api: httpx.Client, anna: str, sent: str) -> None:
    own = made(api, anna).json()["id"]
    answer = api.get(f"{BASE}/{own}", headers={"If-None-Match": sent})
    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", 'W/"1"')


def test_a_read_of_a_newer_version_than_the_one_at_hand_is_sent(api: httpx.Client, anna: str) -> None:
    own = made(api, anna).json()["id"]
    assert api.get(f"{BASE}/{own}", headers={"If-None-Match": 'W/"2"'}).status_code == 200


def test_an_update_makes_the_next_version_and_the_past_one_stays(api: httpx.Client, anna: str) -> None:
    created = made(api, anna).json()
    address = f"{BASE}/{created['id']}"
    answer = api.put(address, json=created | {"status": "amended"}, headers={"If-Match": 'W/"1"'})
    assert (answer.status_code, answer.headers["ETag"]) == (200, 'W/"2"')
    assert "Location" not in answer.headers
    assert api.get(address).json()["status"] == "amended"
    assert api.get(f"{address}/_history/1").json() == created
    issue(api.get(f"{address}/_history/3"), 404)


def test_an_update_with_what_is_stored_makes_no_version(api: httpx.Client, anna: str) -> None:
    created = made(api, anna).json()
    answer = api.put(f"{BASE}/{created['id']}", json=created)
    assert (answer.status_code, answer.headers["ETag"]) == (200, 'W/"1"')


def test_an_update_of_a_stale_version_is_refused_and_changes_nothing(api: httpx.Client, anna: str) -> None:
    created = made(api, anna).json()
    address = f"{BASE}/{created['id']}"
    api.put(address, json=created | {"status": "amended"})
    stale = {"If-Match": 'W/"1"'}
    for answer in (api.put(address, json=created, headers=stale), api.delete(address, headers=stale)):
        found = issue(answer, 412)
        assert "1" in found["diagnostics"]
        assert "2" in found["diagnostics"]
    assert api.get(address).headers["ETag"] == 'W/"2"'


@pytest.mark.parametrize("sent", ['"99", W/"1"', 'W/"1","7"', ', "99",, "1" ,', "99, 1"])
def test_an_update_of_one_of_several_versions_is_made_where_the_stored_one_is_among_them(
    api: httpx.Client, anna: str, sent: str
) -> None:
    created = made(api, anna).json()
    address = f"{BASE}/{created['id']}"
    answer = api.put(address, json=created | {"status": "amended"}, headers={"If-Match": sent})
    assert (answer.status_code, answer.headers["ETag"]) == (200, 'W/"2"')
    refused = issue(api.put(address, json=created, headers={"If-Match": sent}), 412)
    assert "the stored version is 2" in refused["diagnostics"]


def test_an_update_under_a_clients_id_creates(api: httpx.Client, anna: str) -> None:
    own = f"weight.{uuid.uuid4().hex[:8]}"
    answer = api.put(f"{BASE}/{own}", json=observation(anna, id=own))
    assert answer.status_code == 201
    assert answer.headers["Location"].endswith(f"/fhir/Observation/{own}/_history/1")
    assert api.get(f"{BASE}/{own}").status_code == 200


def test_an_update_of_what_must_exist_does_not_create(api: httpx.Client, anna: str) -> None:
    own = f"weight-{uuid.uuid4().hex[:8]}"
    issue(api.put(f"{BASE}/{own}", json=observation(anna, id=own), headers={"If-Match": 'W/"1"'}), 412)
    issue(api.get(f"{BASE}/{own}"), 404)


def test_a_deleted_resource_is_gone_until_it_is_written_again(api: httpx.Client, anna: str) -> None:
    created = made(api, anna).json()
    address = f"{BASE}/{created['id']}"
    first, second = api.delete(address), api.delete(address)
    assert [(one.status_code, one.content) for one in (first, second)] == [(204, b"")] * 2
    assert first.headers["ETag"] == 'W/"2"'
    issue(api.get(address), 410)
    issue(api.get(f"{address}/_history/2"), 410)
    assert api.get(f"{address}/_history/1").status_code == 200
    again = api.put(address, json=created)
    assert (again.status_code, again.headers["ETag"]) == (201, 'W/"3"')


def test_a_history_has_every_version_newest_first_with_what_made_it(api: httpx.Client, anna: str) -> None:
    created = made(api, anna).json()
    address = f"{BASE}/{created['id']}"
    api.put(address, json=created | {"status": "amended"})
    api.delete(address)
    (bundle,) = pages(api, f"{address}/_history")
    assert bundle["type"] == "history"
    assert [entry["request"]["method"] for entry in bundle["entry"]] == ["DELETE", "PUT", "POST"]
    assert [entry["response"]["status"] for entry in bundle["entry"]] == ["204", "200", "201"]
    assert ["resource" in entry for entry in bundle["entry"]] == [False, True, True]
    assert bundle["entry"][2]["resource"] == created


def test_a_history_is_paged_to_its_end(api: httpx.Client, anna: str) -> None:
    created = made(api, anna).json()
    address = f"{BASE}/{created['id']}"
    for second in range(10, 15):
        assert api.put(address, json=created | {"issued": f"2026-03-01T08:00:{second}Z"}).status_code == 200
    found = pages(api, f"{address}/_history", {"_count": 4})
    assert [[r["meta"]["versionId"] for r in resources(page)] for page in found] == [["6", "5", "4", "3"], ["2", "1"]]


def test_a_history_refuses_a_cursor_that_is_not_its_own(api: httpx.Client, anna: str) -> None:
    for number in range(3):
        api.post(BASE, json=observation(anna, effectiveDateTime=f"2026-03-0{number + 1}"))
    of_a_search = pages(api, BASE, {"patient": anna, "_count": 1})[1]
    cursor = next(one["url"] for one in of_a_search["link"] if one["relation"] == "self").partition("_cursor=")[2]
    own = resources(of_a_search)[0]["id"]
    for wrong in (cursor, "junk"):
        assert "_cursor" in issue(api.get(f"{BASE}/{own}/_history?_cursor={wrong}"), 400)["diagnostics"]


@pytest.fixture
def amended(api: httpx.Client, anna: str) -> tuple[str, list[str]]:
    """The address of the history of a resource of five versions, and the instants at which they were made."""
    created = made(api, anna).json()
    address = f"{BASE}/{created['id']}"
    instants = [created["meta"]["lastUpdated"]]
    for second in range(10, 14):
        time.sleep(0.002)
        answer = api.put(address, json=created | {"issued": f"2026-03-01T08:00:{second}Z"})
        instants.append(answer.json()["meta"]["lastUpdated"])
    assert instants == sorted(set(instants))
    return f"{address}/_history", instants


def shifted(instant: str, milliseconds: int) -> str:
    """The instant so much later, in another offset."""
    moment = datetime.fromisoformat(instant) + timedelta(milliseconds=milliseconds)
    return moment.astimezone(timezone(timedelta(hours=2))).isoformat(timespec="milliseconds")


def numbers(api: httpx.Client, address: str, **query: str | int) -> list[int]:
    """The versions on all pages of a history."""
    return [int(r["meta"]["versionId"]) for page in pages(api, address, query) for r in resources(page)]


@pytest.mark.parametrize("count", [1, 2, 50])
def test_a_history_since_an_instant_has_the_versions_that_were_made_from_then_on(
    api: httpx.Client, amended: tuple[str, list[str]], count: int
) -> None:
    address, instants = amended
    assert numbers(api, address, _since=instants[2], _count=count) == [5, 4, 3]
    assert numbers(api, address, _since=shifted(instants[2], 1), _count=count) == [5, 4]
    assert numbers(api, address, _since=shifted(instants[2], -1), _count=count) == [5, 4, 3]
    assert numbers(api, address, _since="2020-01-01", _count=count) == [5, 4, 3, 2, 1]
    assert numbers(api, address, _since=shifted(instants[4], 1), _count=count) == []


@pytest.mark.parametrize("count", [1, 2, 50])
def test_a_history_at_a_time_has_the_versions_that_were_current_then(
    api: httpx.Client, amended: tuple[str, list[str]], count: int
) -> None:
    address, instants = amended
    assert numbers(api, address, _at=instants[2], _count=count) == [3]
    assert numbers(api, address, _at=shifted(instants[2], -1), _count=count) == [2]
    assert numbers(api, address, _at=instants[2].replace("Z", "123Z"), _count=count) == [3]
    assert numbers(api, address, _at=shifted(instants[0], -1), _count=count) == []
    assert numbers(api, address, _at=instants[0][:4], _count=count) == [5, 4, 3, 2, 1]
    assert numbers(api, address, _at="2999", _count=count) == [5]
    assert numbers(api, address, _at="2999", _since=shifted(instants[4], 1), _count=count) == []


def test_a_history_says_which_parameters_count(api: httpx.Client, amended: tuple[str, list[str]]) -> None:
    address, instants = amended
    query = {"_since": instants[1], "_count": "2", "eye-colour": "blue", "_format": "json"}
    first = api.get(address, params=query).json()
    for relation in ("self", "next"):
        url = httpx.URL(str(link(first, relation)))
        assert {name: url.params[name] for name in url.params if name != "_cursor"} == {
            "_since": instants[1],
            "_count": "2",
        }
    strict = api.get(address, params=query, headers={"Prefer": "handling=strict"})
    assert "eye-colour" in issue(strict, 400)["diagnostics"]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("_since=yesterday", "_since"),
        ("_since=", "_since"),
        ("_at=gt2026", "_at"),
        ("_count=0", "_count"),
        ("_count=many", "_count"),
        ("_since=2020&_since=2021", "_since"),
        ("_count=1&_count=2", "_count"),
    ],
)
def test_a_bad_value_of_a_history_is_refused_with_the_parameters_name(
    api: httpx.Client, anna: str, query: str, named: str
) -> None:
    assert named in issue(api.get(f"/fhir/Patient/{anna}/_history?{query}"), 400)["diagnostics"]


@pytest.mark.parametrize(
    ("prefer", "kind"),
    [
        ("return=minimal", None),
        ('RETURN="minimal"', None),
        ("return=OperationOutcome", "OperationOutcome"),
        ("return=representation", "Observation"),
        ("respond-async, return=minimal", None),
        (None, "Observation"),
    ],
)
def test_a_write_answers_with_what_is_preferred(
    api: httpx.Client, anna: str, prefer: str | None, kind: str | None
) -> None:
    answer = api.post(BASE, json=observation(anna), headers={"Prefer": prefer} if prefer else {})
    assert answer.status_code == 201
    assert answer.headers["Location"]
    assert (answer.json()["resourceType"] if answer.content else None) == kind


def test_a_conditional_create_makes_one_and_then_answers_with_it(api: httpx.Client) -> None:
    value = uuid.uuid4().hex
    clinic = organization(identifier=[{"system": "http://example.org/clinics", "value": value}])
    headers = {"If-None-Exist": f"identifier=http://example.org/clinics|{value}"}
    first = api.post("/fhir/Organization", json=clinic, headers=headers)
    second = api.post("/fhir/Organization", json=clinic | {"name": "Other"}, headers=headers)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    api.post("/fhir/Organization", json=clinic)
    issue(api.post("/fhir/Organization", json=clinic, headers=headers), 412)


def test_a_resource_of_nobody_has_a_partition_of_its_own(api: httpx.Client) -> None:
    answer = api.post("/fhir/Group", json={"resourceType": "Group", "type": "person", "actual": True})
    assert answer.status_code == 201
    own = answer.json()["id"]
    assert api.get(f"/fhir/Group/{own}").status_code == 200


def test_a_patient_is_its_own_home(api: httpx.Client) -> None:
    created = api.post("/fhir/Patient", json=patient()).json()
    assert [r["id"] for r in resources(api.get("/fhir/Patient", params={"_id": created["id"]}).json())] == [
        created["id"]
    ]


def test_an_update_that_is_to_make_something_overwrites_nothing(api: httpx.Client) -> None:
    own = f"o-{uuid.uuid4().hex[:10]}"
    clinic = organization(id=own)
    new = {"If-None-Match": "*"}
    assert api.put(f"/fhir/Organization/{own}", json=clinic, headers=new).status_code == 201
    issue(api.put(f"/fhir/Organization/{own}", json=clinic | {"name": "Other"}, headers=new), 412)
    assert api.get(f"/fhir/Organization/{own}").json()["name"] == "Clinic"
    issue(api.put(f"/fhir/Organization/{own}", json=clinic, headers={"If-None-Match": 'W/"7"'}), 400)


def test_a_head_answers_as_a_get_without_the_content(api: httpx.Client, anna: str) -> None:
    got = api.get(f"/fhir/Patient/{anna}")
    head = api.head(f"/fhir/Patient/{anna}")
    assert (head.status_code, head.content) == (200, b"")
    for name in ("Content-Length", "Content-Type", "ETag", "Last-Modified"):
        assert head.headers[name] == got.headers[name]
    assert int(head.headers["Content-Length"]) == len(got.content)
    issue(api.get("/fhir/Patient/none"), 404)
    assert api.head("/fhir/Patient/none").status_code == 404
