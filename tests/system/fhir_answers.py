"""What the tests read out of answers: bundles followed to their end, outcomes, statuses of entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from shared_code.fhir import Resource

FHIR = "application/fhir+json"


def pages(client: httpx.Client, address: str, params: Mapping[str, Any] | None = None) -> list[Resource]:
    """Every page of a search or a history, by following its links."""
    answer = client.get(address, params=params)
    found: list[Resource] = []
    while True:
        assert answer.status_code == 200, answer.text
        found.append(answer.json())
        following = link(found[-1], "next")
        if following is None:
            return found
        assert len(found) < 200, "the links do not end"
        answer = client.get(following)


def link(bundle: Resource, relation: str) -> str | None:
    """The address of a Bundle's link."""
    return next((one["url"] for one in bundle["link"] if one["relation"] == relation), None)


def resources(bundle: Resource) -> list[Resource]:
    """The resources of a Bundle that match, in order."""
    return [
        entry["resource"]
        for entry in bundle.get("entry", [])
        if entry.get("search", {}).get("mode", "match") == "match"
    ]


def ids(client: httpx.Client, address: str, params: Mapping[str, Any] | None = None) -> list[str]:
    """The ids of all that a search finds, over its pages."""
    return [resource["id"] for page in pages(client, address, params) for resource in resources(page)]


def issue(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The first issue of an answer that has to be an OperationOutcome with this status."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text[:500]}"
    assert answer.headers["Content-Type"] == f"{FHIR}; charset=utf-8"
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    first: dict[str, Any] = outcome["issue"][0]
    assert first["severity"] == "error"
    assert first["diagnostics"]
    return first


def statuses(bundle: Resource) -> list[str]:
    """The statuses of the entries of a response bundle."""
    return [entry["response"]["status"] for entry in bundle.get("entry", [])]


def transaction(*entries: Resource) -> Resource:
    """A Bundle of type transaction."""
    return {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}


def batch(*entries: Resource) -> Resource:
    """A Bundle of type batch."""
    return {"resourceType": "Bundle", "type": "batch", "entry": list(entries)}


def post(resource: Resource, full_url: str | None = None, if_none_exist: str | None = None) -> Resource:
    """An entry that creates."""
    request = {"method": "POST", "url": resource["resourceType"]}
    if if_none_exist:
        request["ifNoneExist"] = if_none_exist
    return ({"fullUrl": full_url} if full_url else {}) | {"resource": resource, "request": request}


def put(resource: Resource, if_match: str | None = None) -> Resource:
    """An entry that updates."""
    request = {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}
    return {"resource": resource, "request": request | ({"ifMatch": if_match} if if_match else {})}


def asked(method: str, url: str) -> Resource:
    """An entry without a resource: GET or DELETE."""
    return {"request": {"method": method, "url": url}}


def locations(bundle: Resource) -> list[str]:
    """Where the entries of a response bundle lead, without versions: "Type/id"."""
    return ["/".join(one.split("/")[:2]) for one in _fields(bundle, "location")]


def _fields(bundle: Resource, name: str) -> Sequence[str]:
    return [entry["response"][name] for entry in bundle["entry"] if name in entry["response"]]
