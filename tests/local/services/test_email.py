"""Communication Services' email as the real SDK meets it, and what tests can switch."""

from __future__ import annotations

import asyncio
import time
import uuid

import httpx
import pytest
from azure.communication.email.aio import EmailClient
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

MESSAGE = {
    "senderAddress": "DoNotReply@portal.example",
    "content": {"subject": "Tomorrow", "plainText": "at nine", "html": "<p>at <b>nine</b></p>"},
    "recipients": {"to": [{"address": "ann@example.org", "displayName": "Ann"}]},
}


@pytest.fixture
def page(services):
    with httpx.Client(base_url=services.email, trust_env=False) as client:
        client.delete("/captured")
        client.delete("/control")
        yield client


@pytest.fixture
async def client(services):
    async with EmailClient(services.email, AzureKeyCredential(services.key), retry_total=0) as client:
        yield client


def changed(**parts):
    return {**MESSAGE, **parts}


def requests_of(page) -> list[dict]:
    return page.get("/captured").json()["requests"]


async def test_the_sdk_sends_and_follows_the_operation_to_its_end(client, page):
    operation = str(uuid.uuid4())
    poller = await client.begin_send(MESSAGE, operation_id=operation, polling_interval=0.2)
    assert await poller.result() == {"id": operation, "status": "Succeeded"}
    (request,) = requests_of(page)
    assert (request["operation"], request["status"], request["message"]) == (operation, 202, MESSAGE)


async def test_an_operation_id_is_made_where_none_is_given(client, page):
    await client.begin_send(MESSAGE, polling=False)
    (request,) = requests_of(page)
    assert str(uuid.UUID(request["operation"])) == request["operation"]


async def test_every_request_counts_also_the_second_of_one_operation(client, page):
    operation = str(uuid.uuid4())
    for _ in range(2):
        await client.begin_send(MESSAGE, operation_id=operation, polling=False)
    assert page.get("/captured").json()["operations"] == {operation: {"requests": 2, "accepted": 2}}


async def test_another_key_is_denied_and_nothing_is_kept(services, page):
    async with EmailClient(services.email, AzureKeyCredential("d3Jvbmc="), retry_total=0) as client:
        with pytest.raises(ClientAuthenticationError):
            await client.begin_send(MESSAGE, polling=False)
    assert requests_of(page) == []


def test_a_request_without_a_signature_is_denied(page):
    answer = page.post("/emails:send?api-version=2025-09-01", json=MESSAGE)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "Denied")


@pytest.mark.parametrize(
    "message",
    [
        changed(senderAddress="nobody"),
        changed(recipients={"to": []}),
        changed(recipients={"to": [{"address": f"a{n}@example.org"} for n in range(51)]}),
        changed(recipients={"to": [{"displayName": "Ann"}]}),
        changed(content={"subject": "only a subject"}),
        changed(content={"plainText": "no subject"}),
        changed(attachments=[{"name": "a", "contentType": "text/plain", "contentInBase64": "?"}]),
        changed(sender="unknown@example.org"),
    ],
    ids=["sender", "nobody", "too-many", "no-address", "no-body", "no-subject", "attachment", "unknown-field"],
)
async def test_a_message_outside_the_schema_is_refused_in_the_services_error_shape(client, page, message):
    with pytest.raises(HttpResponseError) as refused:
        await client.begin_send(message, polling=False)
    assert refused.value.status_code == 400
    assert refused.value.error is not None
    assert refused.value.error.code == "InvalidRequestBody"
    assert [one["status"] for one in requests_of(page)] == [400]


async def test_an_operation_id_must_be_a_uuid(client):
    with pytest.raises(HttpResponseError, match="Operation-Id must be a UUID"):
        await client.begin_send(MESSAGE, operation_id="occurrence-1", polling=False)


async def test_the_status_of_an_unknown_operation_is_not_found(client):
    answer = await client.send_request(operation_request(uuid.uuid4()))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "OperationNotFound")


def operation_request(operation):
    from azure.core.rest import HttpRequest

    return HttpRequest("GET", f"/emails/operations/{operation}?api-version=2025-09-01")


async def test_a_held_answer_comes_late_but_the_message_is_accepted_at_once(services, client, page):
    page.post("/control/hold", json={"seconds": 30})
    operation = str(uuid.uuid4())
    async with EmailClient(services.email, AzureKeyCredential(services.key), retry_total=0, read_timeout=0.3) as hasty:
        with pytest.raises((ServiceResponseError, ServiceRequestError)):
            await hasty.begin_send(MESSAGE, operation_id=operation, polling=False)
    assert [one["status"] for one in requests_of(page)] == [202]
    answer = await client.send_request(operation_request(operation))
    assert answer.json()["status"] in {"Running", "Succeeded"}


async def test_a_failure_is_answered_as_often_as_told_with_retry_after(client, page):
    page.post("/control/fail", json={"status": 429, "retryAfter": 7, "times": 2})
    for _ in range(2):
        with pytest.raises(HttpResponseError) as failed:
            await client.begin_send(MESSAGE, polling=False)
        assert failed.value.status_code == 429
        assert failed.value.response is not None
        assert failed.value.response.headers["Retry-After"] == "7"
    await client.begin_send(MESSAGE, polling=False)
    assert [one["status"] for one in requests_of(page)] == [429, 429, 202]


async def test_an_operation_ends_as_told(client, page):
    page.post("/control/outcome", json={"status": "Failed"})
    poller = await client.begin_send(MESSAGE, polling_interval=0.2)
    with pytest.raises(HttpResponseError, match="EmailDropped"):
        await poller.result()


async def test_the_limits_of_a_managed_domain_hold_once_switched_on(client, page):
    page.post("/control/limits", json={"domain": "managed"})
    for _ in range(5):
        await client.begin_send(MESSAGE, polling=False)
    with pytest.raises(HttpResponseError) as failed:
        await client.begin_send(MESSAGE, polling=False)
    assert failed.value.status_code == 429
    assert failed.value.response is not None
    assert 0 < int(failed.value.response.headers["Retry-After"]) <= 60


def test_a_switch_that_does_not_exist_or_makes_no_sense_is_refused(page):
    assert page.post("/control/lose", json={}).status_code == 404
    assert page.post("/control/hold", json={"seconds": -1}).status_code == 400


async def test_the_page_shows_what_was_caught_and_runs_nothing_of_it(client, page):
    text = "<script>alert(1)</script>"
    await client.begin_send(changed(content={"subject": text, "plainText": text, "html": text}), polling=False)
    shown = page.get("/").text
    assert "Ann &lt;ann@example.org&gt;" in shown
    assert "<script" not in shown
    assert "iframe sandbox" in shown


async def test_what_was_caught_outlives_a_kill(services, client, page):
    await client.begin_send(MESSAGE, polling=False)
    before = requests_of(page)
    services.kill()
    services.start()
    assert requests_of(page) == before


async def test_requests_are_answered_side_by_side(client, page):
    page.post("/control/hold", json={"seconds": 0.4, "times": 4})
    began = time.monotonic()
    await asyncio.gather(*(client.begin_send(MESSAGE, polling=False) for _ in range(4)))
    assert time.monotonic() - began < 1.5
