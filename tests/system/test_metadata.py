"""The capability statement tells the truth: what it lists answers, and what it does not list says so itself."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from shared_code import errors
from shared_code.fhir import Resource, validate
from shared_code.records import read_condition
from tests.builders import observation
from tests.system.fhir_answers import batch, issue, resources, statuses, transaction

VALUES = {"token": "http://example.org|x", "reference": "Patient/x", "date": "ge2020-01-01"}


@pytest.fixture(scope="module")
def statement(anonymous: httpx.Client) -> Resource:
    """The CapabilityStatement, as anybody may read it."""
    answer = anonymous.get("/fhir/metadata")
    assert answer.status_code == 200
    found: Resource = answer.json()
    return found


@pytest.fixture(scope="module")
def rows(statement: Resource) -> dict[str, dict[str, Any]]:
    """Its rows by type."""
    return {row["type"]: row for row in statement["rest"][0]["resource"]}


def test_the_statement_is_valid_and_speaks_of_this_address(statement: Resource, api: httpx.Client) -> None:
    validate(statement)
    assert f"{statement['implementation']['url']}/" == f"{api.base_url}fhir/"
    assert statement["fhirVersion"] == "4.0.1"


def test_every_type_that_is_listed_answers_a_read_a_search_and_a_history(
    api: httpx.Client, rows: dict[str, dict[str, Any]]
) -> None:
    assert len(rows) > 140
    for kind in rows:
        assert issue(api.get(f"/fhir/{kind}/not-there"), 404)["diagnostics"] == f"there is no {kind}/not-there"
        issue(api.get(f"/fhir/{kind}/not-there/_history"), 404)
        issue(api.get(f"/fhir/{kind}/not-there/_history/1"), 404)
        assert api.delete(f"/fhir/{kind}/not-there").status_code == 204
        assert api.get(f"/fhir/{kind}", params={"_id": "not-there"}).status_code == 200


def test_every_search_parameter_that_is_listed_is_used_and_no_other(
    api: httpx.Client, rows: dict[str, dict[str, Any]]
) -> None:
    for kind, row in rows.items():
        asked = {p["name"]: VALUES[p["type"]] for p in row["searchParam"]} | {"_id": "not-there"}
        answer = api.get(f"/fhir/{kind}", params=asked, headers={"Prefer": "handling=strict"})
        assert answer.status_code == 200, f"{kind}: {answer.text}"
        assert resources(answer.json()) == []
        unlisted = {"patient", "subject", "code", "status", "date", "identifier", "name"} - asked.keys()
        for name in unlisted:
            refused = api.get(f"/fhir/{kind}", params={name: "x"}, headers={"Prefer": "handling=strict"})
            assert name in issue(refused, 400)["diagnostics"]


def test_every_interaction_that_is_listed_is_carried_out(
    api: httpx.Client, anna: str, statement: Resource, rows: dict[str, dict[str, Any]]
) -> None:
    created = api.post("/fhir/Observation", json=observation(anna))
    address = f"/fhir/Observation/{created.json()['id']}"
    answers = {
        "create": created,
        "read": api.get(address),
        "vread": api.get(f"{address}/_history/1"),
        "update": api.put(address, json=created.json()),
        "history-instance": api.get(f"{address}/_history"),
        "search-type": api.get("/fhir/Observation", params={"patient": anna}),
        "delete": api.delete(address),
    }
    assert {code: answer.is_success for code, answer in answers.items()} == dict.fromkeys(answers, True)
    assert all({one["code"] for one in row["interaction"]} == set(answers) for row in rows.values())
    assert [one["code"] for one in statement["rest"][0]["interaction"]] == ["transaction", "batch"]
    for bundle in (transaction, batch):
        answer = api.post("/fhir", json=bundle({"request": {"method": "GET", "url": "Observation/not-there"}}))
        assert answer.status_code == 200
        assert statuses(answer.json()) == ["404 Not Found"]


@pytest.mark.parametrize(
    ("method", "address", "status", "allowed"),
    [
        ("PUT", "/fhir", 405, "POST"),
        ("DELETE", "/fhir", 405, "POST"),
        ("GET", "/fhir", 501, None),
        ("OPTIONS", "/fhir", 405, "POST"),
        ("TRACE", "/fhir/Observation", 405, "GET, HEAD, POST"),
        ("OPTIONS", "/fhir/Observation", 405, "GET, HEAD, POST"),
        ("OPTIONS", "/fhir/Observation/x", 405, "GET, HEAD, PUT, DELETE"),
        ("OPTIONS", "/fhir/metadata", 405, "GET, HEAD"),
        ("TRACE", "/health", 405, "GET, HEAD"),
        ("OPTIONS", "/load", 405, "GET, HEAD"),
        ("OPTIONS", "/statistics", 405, "GET, HEAD"),
        ("OPTIONS", "/fhir/Patient/x/$everything", 501, None),
        ("POST", "/fhir/metadata", 405, "GET, HEAD"),
        ("PUT", "/fhir/Observation", 405, "GET, HEAD, POST"),
        ("PATCH", "/fhir/Observation", 405, "GET, HEAD, POST"),
        ("DELETE", "/fhir/Observation", 405, "GET, HEAD, POST"),
        ("PATCH", "/fhir/Observation/x", 501, None),
        ("POST", "/fhir/Observation/x", 405, "GET, HEAD, PUT, DELETE"),
        ("GET", "/fhir/Observation/_search", 405, "POST"),
        ("POST", "/fhir/Observation/x/_history", 405, "GET, HEAD"),
        ("DELETE", "/fhir/Observation/x/_history", 405, "GET, HEAD"),
        ("PUT", "/fhir/Observation/x/_history/1", 405, "GET, HEAD"),
        ("POST", "/health", 405, "GET, HEAD"),
        ("DELETE", "/health/ready", 405, "GET, HEAD"),
        ("POST", "/load", 405, "GET, HEAD"),
        ("GET", "/fhir/Elephant", 404, None),
        ("GET", "/fhir/observation", 404, None),
        ("GET", "/fhir/Parameters", 404, None),
        ("GET", "/fhir/DomainResource/1", 404, None),
        ("POST", "/fhir/Elephant", 404, None),
        ("PUT", "/fhir/Elephant/1", 404, None),
    ],
)
def test_what_is_not_listed_says_so_in_an_outcome(
    api: httpx.Client, method: str, address: str, status: int, allowed: str | None
) -> None:
    body = None if method in ("GET", "DELETE") else {"resourceType": "Elephant", "id": "1"}
    answer = api.request(method, address, json=body)
    issue(answer, status)
    assert answer.headers.get("Allow") == allowed


@pytest.mark.parametrize(
    "address",
    [
        "/fhir/$export",
        "/fhir/_history",
        "/fhir/_search",
        "/fhir/Patient/$everything",
        "/fhir/Patient/_history",
        "/fhir/Patient/x/$everything",
        "/fhir/Patient/x/Observation",
        "/fhir/Patient/x/*",
    ],
)
def test_an_operation_that_is_not_there_says_so(api: httpx.Client, address: str) -> None:
    for method in ("GET", "POST"):
        assert address.rpartition("/")[2] in issue(api.request(method, address), 501)["diagnostics"]


@pytest.mark.parametrize(
    ("headers", "query"),
    [({"Accept": "application/fhir+xml"}, ""), ({"Accept": "text/html, image/png"}, ""), ({}, "?_format=xml")],
)
def test_an_answer_that_is_not_json_is_not_given(anonymous: httpx.Client, headers: dict[str, str], query: str) -> None:
    issue(anonymous.get(f"/fhir/metadata{query}", headers=headers), 406)


@pytest.mark.parametrize(
    "accept", ["application/fhir+json; fhirVersion=4.0", "text/html, */*;q=0.1", "application/json"]
)
def test_an_answer_in_json_is_given_to_who_takes_it(anonymous: httpx.Client, accept: str) -> None:
    assert anonymous.get("/fhir/metadata", headers={"Accept": accept}).status_code == 200
    assert anonymous.get("/fhir/metadata?_format=application/fhir+json").status_code == 200


def test_health_says_that_the_app_lives_and_that_it_is_ready(anonymous: httpx.Client) -> None:
    assert anonymous.get("/health").json() == {"status": "alive"}
    assert anonymous.get("/health/ready").json() == {"status": "ready"}
    assert anonymous.head("/health").status_code == 200


def test_a_conditional_create_is_offered_where_a_condition_can_be_written(rows: dict[str, dict[str, Any]]) -> None:
    queries = ("identifier=http://x|1", "patient=Patient/x", "subject=Patient/x")
    for resource_type, row in rows.items():
        can = False
        for query in queries:
            try:
                read_condition(resource_type, query)
            except errors.Malformed:
                continue
            can = True
        assert row["conditionalCreate"] is can, resource_type
    assert sum(row["conditionalCreate"] for row in rows.values()) > 100
