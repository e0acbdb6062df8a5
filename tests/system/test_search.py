"""Searches over HTTP: what each parameter finds, pages followed to their end, what is said of what is not known."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import httpx
import pytest

from tests.builders import appointment, observation, organization
from tests.system.conftest import Speaks
from tests.system.fhir_answers import batch, ids, issue, link, locations, pages, post, resources

BASE = "/fhir/Observation"


@pytest.fixture(scope="module")
def weights(api: httpx.Client) -> tuple[str, list[str]]:
    """A person with five weights, of 1 to 5 March: the person's id, and those of the weights in order."""
    patient_id = f"person-{uuid.uuid4().hex[:10]}"
    entries = [
        post(
            observation(
                patient_id,
                effectiveDateTime=f"2026-03-0{day}",
                status="preliminary" if day == 5 else "final",
                identifier=[{"system": "http://example.org/weights", "value": f"w{day}"}],
            )
        )
        for day in range(1, 6)
    ]
    answer = api.post("/fhir", json=batch(*entries))
    return patient_id, [location.partition("/")[2] for location in locations(answer.json())]


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ("", [1, 2, 3, 4, 5]),
        ("date=2026-03-02", [2]),
        ("date=ge2026-03-02&date=lt2026-03-04", [2, 3]),
        ("date=2026-03-01,2026-03-05", [1, 5]),
        ("code=http://loinc.org|29463-7&status=final", [1, 2, 3, 4]),
        ("code=29463-7&status:not=final", [5]),
        ("code=http://loinc.org|8867-4", []),
        ("identifier=http://example.org/weights|w3", [3]),
        ("identifier=http://example.org/weights|", [1, 2, 3, 4, 5]),
        ("identifier=w1,w2", [1, 2]),
        ("_lastUpdated=gt2020-01-01&date=sa2026-03-04", [5]),
        ("_lastUpdated=lt2020-01-01,ge2020-01-01T00:00:00+02:00&date=sa2026-03-04", [5]),
        ("_lastUpdated=2019,2020", []),
        ("_lastUpdated=lt2020-01-01", []),
        ("date:missing=true", []),
    ],
)
@pytest.mark.parametrize("by", ["the person", "a system"])
def test_a_search_of_one_person_finds_what_its_parameters_say(
    speaks: Speaks, api: httpx.Client, weights: tuple[str, list[str]], query: str, days: list[int], by: str
) -> None:
    patient_id, made = weights
    client, who = (speaks(patient=patient_id), "") if by == "the person" else (api, f"patient={patient_id}&")
    assert sorted(ids(client, f"{BASE}?{who}{query}")) == sorted(made[day - 1] for day in days)


def test_a_search_by_id_finds_those_ids_and_no_others(api: httpx.Client, weights: tuple[str, list[str]]) -> None:
    _, made = weights
    assert sorted(ids(api, BASE, {"_id": f"{made[0]},{made[3]},not-there"})) == sorted([made[0], made[3]])
    assert ids(api, BASE, {"_id": made[0], "status": "preliminary"}) == []


@pytest.mark.parametrize("count", [1, 2, 5, 50])
def test_pages_of_a_persons_search_have_each_resource_once(
    api: httpx.Client, weights: tuple[str, list[str]], count: int
) -> None:
    patient_id, made = weights
    found = pages(api, BASE, {"patient": patient_id, "_count": count, "_total": "accurate"})
    assert sorted(r["id"] for page in found for r in resources(page)) == sorted(made)
    assert {page["total"] for page in found} == {5}
    assert all(len(resources(page)) <= count for page in found)
    assert all(link(page, "self") for page in found)


def test_a_systems_search_of_all_people_is_paged_to_its_end(api: httpx.Client, new_person: Callable[[], str]) -> None:
    code = uuid.uuid4().hex
    marked = {"coding": [{"system": "http://example.org/codes", "code": code}]}
    made = [
        api.post(BASE, json=observation(patient_id, code=marked)).json()["id"]
        for patient_id in (new_person() for _ in range(3))
        for _ in range(3)
    ]
    found = pages(api, BASE, {"code": f"http://example.org/codes|{code}", "_count": 2, "_total": "accurate"})
    assert sorted(r["id"] for page in found for r in resources(page)) == sorted(made)
    assert found[0]["total"] == 9


def test_a_search_by_post_is_the_search_by_get(api: httpx.Client, weights: tuple[str, list[str]]) -> None:
    patient_id, made = weights
    answer = api.post(f"{BASE}/_search?_count=3", data={"patient": f"Patient/{patient_id}", "status": "final"})
    assert answer.status_code == 200
    first = answer.json()
    following = link(first, "next")
    assert following
    rest = resources(api.get(following).json())
    assert sorted(r["id"] for r in [*resources(first), *rest]) == sorted(made[:4])


def test_a_count_alone_gives_no_resources(api: httpx.Client, weights: tuple[str, list[str]]) -> None:
    patient_id, _ = weights
    counts = (
        {"_count": 0},
        {"_summary": "count"},
        {"_summary": "count", "_count": 5},
        {"_count": 5, "_summary": "count"},
    )
    for query in (*counts, {"_summary": "count", "_total": "none"}):
        bundle = api.get(BASE, params={"patient": patient_id, **query}).json()
        assert (bundle["total"], bundle.get("entry")) == (5, None)


def test_a_page_is_never_larger_than_a_thousand_and_says_so(api: httpx.Client, anna: str) -> None:
    bundle = api.get(BASE, params={"patient": anna, "_count": 5000}).json()
    assert "_count=1000" in str(link(bundle, "self"))


def test_an_unknown_parameter_is_ignored_and_said_or_refused_as_preferred(api: httpx.Client, anna: str) -> None:
    api.post(BASE, json=observation(anna))
    answer = api.get(BASE, params={"patient": anna, "eye-colour": "blue"})
    bundle = answer.json()
    assert len(resources(bundle)) == 1
    assert "eye-colour" not in str(link(bundle, "self"))
    (warning,) = [entry["resource"] for entry in bundle["entry"] if entry["search"]["mode"] == "outcome"]
    assert "eye-colour" in warning["issue"][0]["diagnostics"]
    for prefer in ("handling=strict", 'respond-async, Handling="Strict"'):
        strict = api.get(BASE, params={"patient": anna, "eye-colour": "blue"}, headers={"Prefer": prefer})
        assert "eye-colour" in issue(strict, 400)["diagnostics"]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("date=yesterday", "date"),
        ("date=2026-02-30", "date"),
        ("date=xx2026", "xx"),
        ("_lastUpdated=soon", "_lastUpdated"),
        ("_count=many", "_count"),
        ("_total=roughly", "_total"),
        ("_cursor=junk", "_cursor"),
        ("_count=0&_count=5", "_count"),
        ("_total=none&_total=accurate", "_total"),
        ("_summary=count&_summary=false", "_summary"),
        ("_id=a%20b", "_id"),
        ("code:above=x", ":above"),
        ("code=", "code"),
        ("status:missing=perhaps", "status:missing"),
        ("patient=Patient/a/b", "patient"),
    ],
)
def test_a_bad_value_is_refused_with_the_parameters_name(api: httpx.Client, query: str, named: str) -> None:
    assert named in issue(api.get(f"{BASE}?{query}"), 400)["diagnostics"]


FORMS = {
    "too many values": ("code=" + ",".join(f"c{n}" for n in range(201)), 400, "200"),
    "too many parameters": ("&".join(["code=c"] * 201), 400, "200"),
    "a count of many digits": ("_count=" + "9" * 5000 + "&_id=x", 200, None),
    "a count of many zeros": ("_count=" + "0" * 5000 + "&_id=x", 200, None),
    "a count in other digits": ("_count=٣", 400, "_count"),
    "a form that is too large": ("code=" + "x" * 70_000, 413, "bytes"),
    "bytes that are no text": ("code=%ff%00", 200, None),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_form_of_odd_values_is_searched_or_refused(api: httpx.Client, anna: str, name: str) -> None:
    form, status, named = FORMS[name]
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = api.post(f"{BASE}/_search?patient={anna}", content=form.encode(), headers=headers)
    assert answer.status_code == status, answer.text
    if named:
        assert named in issue(answer, status)["diagnostics"]


def test_an_instant_finer_than_a_millisecond_means_its_millisecond(api: httpx.Client, anna: str) -> None:
    made = api.post(BASE, json=observation(anna)).json()
    finer = made["meta"]["lastUpdated"].replace("Z", "123Z")
    for prefix, found in (("", True), ("ge", True), ("le", True), ("gt", False), ("lt", False)):
        assert bool(ids(api, BASE, {"patient": anna, "_lastUpdated": f"{prefix}{finer}"})) is found


def test_a_deleted_resource_is_found_no_more(api: httpx.Client, anna: str) -> None:
    own = api.post(BASE, json=observation(anna)).json()["id"]
    assert ids(api, BASE, {"patient": anna}) == [own]
    api.delete(f"{BASE}/{own}")
    assert ids(api, BASE, {"patient": anna}) == []
    assert ids(api, BASE, {"_id": own}) == []


def test_an_appointment_of_two_is_in_the_searches_of_both(
    api: httpx.Client, speaks: Speaks, new_person: Callable[[], str]
) -> None:
    one, other = new_person(), new_person()
    own = api.post("/fhir/Appointment", json=appointment(one, other)).json()["id"]
    for patient_id in (one, other):
        assert ids(speaks(patient=patient_id), "/fhir/Appointment", {"date": "2026-12-01"}) == [own]
        assert ids(api, "/fhir/Appointment", {"patient": patient_id}) == [own]


def test_a_person_finds_a_shared_resource_by_its_identifier(api: httpx.Client, speaks: Speaks, anna: str) -> None:
    value = uuid.uuid4().hex
    clinic = organization(identifier=[{"system": "http://example.org/clinics", "value": value}])
    own = api.post("/fhir/Organization", json=clinic).json()["id"]
    person = speaks(patient=anna)
    assert ids(person, "/fhir/Organization", {"identifier": f"http://example.org/clinics|{value}"}) == [own]
    assert ids(person, "/fhir/Organization", {"_id": own}) == [own]
    both = [("identifier", value), ("identifier", f"http://example.org/clinics|{value}")]
    assert [r["id"] for r in resources(person.get("/fhir/Organization", params=both).json())] == [own]
    for query in ("", f"?identifier={value}", f"?identifier:not=http://example.org/clinics|{value}"):
        said = issue(person.get(f"/fhir/Organization{query}"), 501)["diagnostics"]
        assert said.startswith("a search of Organization")
        assert "identifier=system|value" in said


def test_a_search_for_a_url_of_this_server_is_one_for_the_relative_reference(
    api: httpx.Client, weights: tuple[str, list[str]]
) -> None:
    patient_id, found = weights
    address = f"{api.base_url}fhir/Patient/{patient_id}"
    assert ids(api, BASE, {"patient": address}) == ids(api, BASE, {"subject": address}) == sorted(found)
    made = api.post(BASE, json=observation() | {"subject": {"reference": address}, "status": "corrected"})
    assert made.json()["subject"] == {"reference": f"Patient/{patient_id}"}
    assert ids(api, BASE, {"patient": patient_id, "status": "corrected"}) == [made.json()["id"]]
    api.delete(f"{BASE}/{made.json()['id']}")


@pytest.mark.parametrize("query", ["_id:not=x", "_lastUpdated:missing=true"])
def test_a_modifier_that_is_not_offered_is_refused(api: httpx.Client, query: str) -> None:
    issue(api.get(f"{BASE}?{query}"), 400)


def test_a_link_that_nobody_could_follow_is_not_given(api: httpx.Client) -> None:
    answer = api.post("/fhir", json=batch(*[post(organization()) for _ in range(180)]))
    many = [location.partition("/")[2] for location in locations(answer.json())]
    form = {"_id": ",".join(many), "_count": "50"}
    refused = issue(api.post("/fhir/Organization/_search", data=form), 400)
    assert "_count" in refused["diagnostics"]
    answer = api.post("/fhir/Organization/_search", data=form | {"_count": "200"})
    assert len(resources(answer.json())) == 180
