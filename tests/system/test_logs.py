"""What the app logs has no clinical content in it, whatever is sent and whatever goes wrong with it."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING

import httpx
from azure.storage.blob import ContainerClient

from tests.builders import observation, patient
from tests.system.fhir_answers import FHIR, post, transaction

if TYPE_CHECKING:
    from local.stack.served import ServedStack

LOGGED_SECONDS = 20


def test_no_value_of_a_resource_or_of_a_search_reaches_the_log(
    stack: ServedStack, api: httpx.Client, anna: str
) -> None:
    secret = f"Zwaardvis{uuid.uuid4().hex}"
    named = patient(
        id=anna, name=[{"family": secret}], identifier=[{"system": "http://example.org/nn", "value": secret}]
    )
    weight = observation(anna, note=[{"text": secret}])
    requests = [
        ("PUT", f"/fhir/Patient/{anna}", json.dumps(named)),
        ("POST", "/fhir/Observation", json.dumps(weight)),
        ("POST", "/fhir/Observation", json.dumps(weight | {"status": secret, secret: secret})),
        ("POST", "/fhir/Observation", json.dumps(weight) + secret),
        ("POST", "/fhir", json.dumps(transaction(post(weight), post(weight | {"status": secret})))),
        ("POST", "/fhir", json.dumps(transaction(post(weight | {"subject": {"reference": f"Patient?name={secret}"}})))),
        ("GET", f"/fhir/Patient?identifier=http://example.org/nn|{secret}", ""),
        ("GET", f"/fhir/Patient?name={secret}&date={secret}", ""),
        ("GET", f"/fhir/Observation?date={secret}", ""),
        ("GET", f"/load?file={secret}", ""),
    ]
    for method, address, body in requests:
        answer = api.request(method, address, content=body, headers={"Content-Type": FHIR} if body else {})
        assert answer.status_code < 500, answer.text
    condition = {"If-None-Exist": f"identifier=http://example.org/nn|{secret}"}
    assert api.post("/fhir/Patient", json=named, headers=condition).status_code == 200
    name = f"{uuid.uuid4().hex}.ndjson"
    connection = stack.services["azurite"]["connectionString"]
    with ContainerClient.from_connection_string(connection, "bundles") as container:
        container.upload_blob(name, f'{json.dumps(weight)}\n{secret}\n{{"resourceType":"{secret}"}}\n')
    wait_until_loaded(api, name)
    log = (stack.folder.logs / "functions.log").read_text(encoding="utf-8", errors="replace")
    assert '"operation"' in log or "operation" in log
    assert secret not in log


def wait_until_loaded(api: httpx.Client, name: str) -> None:
    deadline = time.monotonic() + LOGGED_SECONDS
    while api.get("/load", params={"file": name}).json()["status"] != "completed":
        assert time.monotonic() < deadline
        time.sleep(0.1)
