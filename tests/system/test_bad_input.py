"""What is wrong with a request gets its status and an outcome that names the fault, and nothing of it is stored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from shared_code.fhir import dump
from tests.builders import observation, organization, patient
from tests.system.fhir_answers import FHIR, asked, batch, ids, issue, post, put, statuses, transaction

BASE = "/fhir/Observation"
MARK = "§"


@pytest.fixture
def untouched(api: httpx.Client, anna: str) -> Iterator[str]:
    """A person of whom nothing is stored, and of whom nothing is stored afterwards."""
    yield anna
    assert ids(api, BASE, {"patient": anna}) == []
    assert api.get(f"/fhir/Patient/{anna}").json()["meta"]["versionId"] == "1"


def with_value(patient_id: str, json_text: str) -> str:
    """An Observation as text, with `json_text` for its value's number."""
    resource = observation(patient_id)
    resource["valueQuantity"] = resource["valueQuantity"] | {"value": MARK}
    return dump(resource).replace(f'"{MARK}"', json_text)


def deep(levels: int) -> str:
    return '{"resourceType":"Observation","extension":' + '[{"extension":' * levels + "[]" + "}]" * levels + "}"


TEXTS: dict[str, tuple[str, int, str]] = {
    "nothing": ("", 400, "no body"),
    "not JSON": ("once upon a time", 400, "JSON"),
    "half of it": ('{"resourceType":"Observation"', 400, "JSON"),
    "two values": ('{"resourceType":"Observation"}{}', 400, "JSON"),
    "a list": ("[]", 400, "object"),
    "null": ("null", 400, "object"),
    "no type": ("{}", 400, "resourceType"),
    "3,000 levels": (deep(3000), 400, "64"),
    "100,000 levels": (deep(100_000), 400, "64"),
    "a key twice": ('{"resourceType":"Observation","status":"final","status":"final"}', 400, "status"),
    "a lone surrogate": ('{"resourceType":"Observation","id":"\\ud800"}', 400, ""),
    "a NUL": ('{"resourceType":"Observation","language":"a\\u0000"}', 400, ""),
}


@pytest.mark.parametrize("name", TEXTS)
def test_what_cannot_be_parsed_is_refused(api: httpx.Client, untouched: str, name: str) -> None:
    text, status, named = TEXTS[name]
    for method, address in (("POST", BASE), ("PUT", f"{BASE}/x"), ("POST", "/fhir")):
        answer = api.request(method, address, content=text.encode(), headers={"Content-Type": FHIR})
        fault = issue(answer, status)
        assert named in f"{fault['diagnostics']} {fault.get('expression')}" or address == "/fhir"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "01", "1.", ".5", "+1", "0x1"])
def test_a_number_that_is_none_is_refused(api: httpx.Client, untouched: str, number: str) -> None:
    answer = api.post(BASE, content=with_value(untouched, number), headers={"Content-Type": FHIR})
    issue(answer, 400)


def test_bytes_that_are_no_text_are_refused(api: httpx.Client, untouched: str) -> None:
    content = with_value(untouched, "1").encode().replace(b"kg", b"\xff\xfe")
    assert "UTF-8" in issue(api.post(BASE, content=content, headers={"Content-Type": FHIR}), 400)["diagnostics"]


INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown element": ({"mood": "good"}, "Observation.mood"),
    "an unknown code": ({"status": "so-so"}, "Observation.status"),
    "no status": ({"status": None}, "Observation.status"),
    "an impossible date": ({"effectiveDateTime": "2026-02-30"}, "Observation.effective.ofType(dateTime)"),
    "a date in words": ({"effectiveDateTime": "yesterday"}, "Observation.effective.ofType(dateTime)"),
    "a time without a zone": ({"effectiveDateTime": "2026-02-03T10:00:00"}, "Observation.effective.ofType(dateTime)"),
    "a number for a text": ({"code": {"text": 5}}, "Observation.code.text"),
    "a text for a number": ({"valueQuantity": {"value": "72"}}, "Observation.value.ofType(Quantity).value"),
    "a list for one": ({"subject": [{"display": "x"}]}, "Observation.subject"),
    "one for a list": ({"identifier": {"value": "x"}}, "Observation.identifier"),
    "two values": ({"valueString": "x"}, "Observation"),
    "an empty list": ({"identifier": []}, "Observation.identifier"),
    "an empty object": ({"code": {}}, "Observation.code"),
    "a reference to another type": ({"subject": {"reference": "Medication/1"}}, "Observation.subject"),
    "a reference of no form": ({"subject": {"reference": "anna"}}, "Observation.subject"),
    "a contained resource that is not there": ({"subject": {"reference": "#p"}}, "Observation.subject"),
    "an id of no form": ({"id": "a b"}, "Observation.id"),
}


@pytest.mark.parametrize("name", INVALID)
def test_what_is_not_valid_r4_is_refused_at_its_place(api: httpx.Client, untouched: str, name: str) -> None:
    changes, path = INVALID[name]
    resource = {key: value for key, value in (observation(untouched) | changes).items() if value is not None}
    answer = api.post(BASE, json=resource)
    fault = issue(answer, 422)
    assert fault["expression"][0].startswith(path), fault
    bundled = issue(api.post("/fhir", json=transaction(post(resource))), 422)
    assert bundled["expression"][0].startswith(f"Bundle.entry[0].resource{path.removeprefix('Observation')}")


def test_every_fault_of_a_resource_is_named(api: httpx.Client, untouched: str) -> None:
    resource = observation(untouched, status="so-so", mood="good", effectiveDateTime="2026-13-01")
    paths = {one["expression"][0] for one in api.post(BASE, json=resource).json()["issue"]}
    assert paths == {"Observation.status", "Observation.mood", "Observation.effective.ofType(dateTime)"}


def test_a_resource_of_another_type_than_the_address_is_refused(api: httpx.Client, untouched: str) -> None:
    for answer in (api.post(BASE, json=patient()), api.put(f"{BASE}/x", json=patient(id="x"))):
        fault = issue(answer, 400)
        assert fault["expression"] == ["resourceType"]
        assert "Patient" in fault["diagnostics"]
        assert "Observation" in fault["diagnostics"]


@pytest.mark.parametrize("sent", [None, "y", "X"])
def test_an_update_whose_resource_has_another_id_is_refused(
    api: httpx.Client, untouched: str, sent: str | None
) -> None:
    resource = observation(untouched) | ({"id": sent} if sent else {})
    assert issue(api.put(f"{BASE}/x", json=resource), 400)["expression"] == ["Observation.id"]


@pytest.mark.parametrize("own", ["a_b", "a:b", "ä", "a b", "x" * 65, "a%2Fb", "a%00b", "%F0%9F%90%98"])
def test_an_id_of_no_form_is_refused(api: httpx.Client, untouched: str, own: str) -> None:
    decoded = httpx.URL(f"http://x/{own}").path[1:]
    answer = api.put(f"{BASE}/{own}", json=observation(untouched, id=decoded))
    assert answer.status_code in (400, 404, 422), answer.text
    for answer in (api.get(f"{BASE}/{own}"), api.delete(f"{BASE}/{own}"), api.get(f"{BASE}/{own}/_history/1")):
        assert answer.status_code == 404


@pytest.mark.parametrize(
    "if_match",
    ['W/"9"', '"0"', 'W/"3", W/"2"', "W/1", "one", 'W/"one"', '""', '"01"', '"9" W/"1"', '*, W/"1"', ",", ""],
)
def test_an_if_match_that_is_not_of_the_stored_version_is_refused(api: httpx.Client, anna: str, if_match: str) -> None:
    before = api.get(f"/fhir/Patient/{anna}").text
    changed = patient(id=anna, gender="other")
    answers = [
        api.put(f"/fhir/Patient/{anna}", json=changed, headers={"If-Match": if_match}),
        api.delete(f"/fhir/Patient/{anna}", headers={"If-Match": if_match}),
    ]
    if if_match:
        answers.append(api.post("/fhir", json=transaction(put(changed, if_match))))
    for answer in answers:
        assert answer.status_code in (400, 412), answer.text
        assert "If-Match" in issue(answer, answer.status_code)["diagnostics"]
    assert api.get(f"/fhir/Patient/{anna}").text == before


@pytest.mark.parametrize("version", ["0", "2", "01", "+1", "١", "-1", "one", "1.0", "99999999999999999999", "%00", "٣"])
def test_a_version_that_is_not_there_is_not_found(api: httpx.Client, anna: str, version: str) -> None:
    issue(api.get(f"/fhir/Patient/{anna}/_history/{version}"), 404)


def test_a_resource_above_what_one_item_holds_is_too_large(api: httpx.Client, untouched: str) -> None:
    large = observation(untouched, note=[{"text": "x" * 900_000}, {"text": "y" * 700_000}])
    for answer in (
        api.post(BASE, json=large),
        api.put(f"{BASE}/large", json=large | {"id": "large"}),
        api.post("/fhir", json=transaction(post(observation(untouched)), post(large))),
    ):
        assert "1,500,000" in issue(answer, 413)["diagnostics"]


def test_a_body_above_what_a_resource_may_take_is_too_large(api: httpx.Client, untouched: str) -> None:
    content = json.dumps(observation(untouched)).encode() + b" " * 4_000_000
    issue(api.post(BASE, content=content, headers={"Content-Type": FHIR}), 413)


def test_a_bundle_above_the_limit_is_pointed_to_the_container(api: httpx.Client, untouched: str) -> None:
    content = json.dumps(transaction(post(observation(untouched)))).encode() + b" " * (50 * 1024 * 1024)
    fault = issue(api.post("/fhir", content=content, headers={"Content-Type": FHIR}), 413)
    assert "bundles" in fault["diagnostics"]


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/fhir+xml", "application/x-www-form-urlencoded"]
)
def test_a_body_of_another_content_type_is_refused(api: httpx.Client, untouched: str, content_type: str | None) -> None:
    content = dump(observation(untouched, id="x")).encode()
    headers = {"Content-Type": content_type} if content_type else {}
    for method, address in (("POST", BASE), ("PUT", f"{BASE}/x"), ("POST", "/fhir")):
        fault = issue(api.request(method, address, content=content, headers=headers), 415)
        assert FHIR in fault["diagnostics"]
    if content_type != "application/x-www-form-urlencoded":
        issue(api.post(f"{BASE}/_search", content=b"status=final", headers=headers), 415)


@pytest.mark.parametrize(
    "condition",
    [
        "name=x",
        "identifier=x",
        "identifier=http://example.org|",
        "identifier",
        "identifier=a|b&eye-colour=blue",
        "identifier=%",
        "=",
        "",
    ],
)
def test_a_condition_that_cannot_be_looked_up_is_refused(api: httpx.Client, untouched: str, condition: str) -> None:
    for resource in (organization(), observation(untouched)):
        address = f"/fhir/{resource['resourceType']}"
        issue(api.post(address, json=resource, headers={"If-None-Exist": condition}), 400)


def test_a_wrong_method_in_a_bundle_is_refused(api: httpx.Client, untouched: str) -> None:
    for method in ("PATCH", "HEAD", "TRACE", ""):
        entry = asked(method, f"Patient/{untouched}")
        fault = issue(api.post("/fhir", json=transaction(post(observation(untouched)), entry)), 400)
        assert fault["expression"] == ["Bundle.entry[1].request.method"]


def test_an_address_in_a_bundle_that_is_none_is_refused(api: httpx.Client, untouched: str) -> None:
    addresses = ["", "/", "Observation/x/y", "http://elsewhere.example.org/fhir/Observation", "Observation/x?y=z", "?x"]
    for url in addresses:
        entry = {"resource": observation(untouched, id="x"), "request": {"method": "PUT", "url": url}}
        fault = issue(api.post("/fhir", json=transaction(entry)), 400)
        assert fault["expression"] == ["Bundle.entry[0].request.url"], url
    reads = batch(*(asked("GET", url) for url in ("Patient/x/_history", "Patient/x/y", "Patient/a b", "metadata")))
    answer = api.post("/fhir", json=reads)
    assert answer.status_code == 200
    assert [status[:3] for status in statuses(answer.json())] == ["400", "400", "422", "400"]


def test_an_error_tells_nothing_of_the_inside(api: httpx.Client) -> None:
    for answer in (api.get(f"{BASE}?_cursor=x"), api.post(BASE, json={"resourceType": "Observation", "x": 1})):
        assert not any(word in answer.text for word in ("Traceback", "shared_code", "azure", "partition", ".py"))
