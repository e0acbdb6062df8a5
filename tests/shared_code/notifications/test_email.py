"""The email channel over the real SDK: what it sends, and what each answer of the service means."""

from __future__ import annotations

import time
import uuid

import pytest
from azure.communication.email.aio import EmailClient
from azure.core.credentials import AzureKeyCredential

from local.stack.ports import free_ports
from shared_code import errors
from shared_code.notifications import EmailChannel, Message
from shared_code.notifications.email import Operation, PutOff, Refused
from tests.shared_code.notifications.capture import SENDER, Capture

MESSAGE = Message(to="anna@example.org", subject="Tomorrow", text="at nine\n", html="<p>at nine</p>")


def new_id() -> str:
    return str(uuid.uuid4())


async def test_a_message_is_handed_over_under_its_operation_id(channel: EmailChannel, capture: Capture):
    operation = new_id()
    assert await channel.send(MESSAGE, operation) == Operation("Running")
    (request,) = capture.requests()
    assert request["operation"] == operation
    assert request["message"] == {
        "senderAddress": SENDER,
        "recipients": {"to": [{"address": "anna@example.org"}]},
        "content": {"subject": "Tomorrow", "plainText": "at nine\n", "html": "<p>at nine</p>"},
        "userEngagementTrackingDisabled": True,
    }


async def test_an_operation_can_be_asked_for_and_an_unknown_one_is_none(channel: EmailChannel):
    operation = new_id()
    assert await channel.operation(operation) is None
    await channel.send(MESSAGE, operation)
    assert await channel.operation(operation) == Operation("Running")


@pytest.mark.parametrize(
    ("status", "in_doubt", "throttled"), [(429, False, True), (500, True, False), (503, True, False)]
)
async def test_what_the_service_cannot_do_now_is_put_off_at_once(
    channel: EmailChannel, capture: Capture, status: int, in_doubt: bool, throttled: bool
):
    capture.switch("fail", status=status, retryAfter=30)
    began = time.monotonic()
    answer = await channel.send(MESSAGE, new_id())
    assert answer == PutOff(f"answered {status}", 30.0, in_doubt, throttled)
    assert time.monotonic() - began < 5  # nobody slept for the 30 s that it asked for
    assert len(capture.requests()) == 1


async def test_what_the_service_will_never_take_is_refused(channel: EmailChannel, capture: Capture):
    answer = await channel.send(Message("no address", "s", "t", "h"), new_id())
    assert isinstance(answer, Refused)
    assert answer.reason == "answered 400 InvalidRequestBody"
    assert len(capture.requests()) == 1


async def test_a_key_that_is_not_accepted_is_surely_no_email(capture: Capture):
    async with EmailClient(capture.url, AzureKeyCredential("d3Jvbmc="), retry_total=0) as client:
        channel = EmailChannel(client, SENDER)
        assert await channel.send(MESSAGE, new_id()) == PutOff("answered 401", None, in_doubt=False)
        with pytest.raises(errors.Busy, match="401"):
            await channel.operation(new_id())


async def test_a_service_that_is_not_there_has_surely_not_accepted_it():
    (port,) = free_ports(1)
    async with EmailClient(f"http://127.0.0.1:{port}", AzureKeyCredential("a2V5"), retry_total=0) as client:
        channel = EmailChannel(client, SENDER)
        assert await channel.send(MESSAGE, new_id()) == PutOff("unreachable", None, in_doubt=False)
        with pytest.raises(errors.Busy):
            await channel.operation(new_id())


async def test_an_answer_that_does_not_come_leaves_a_doubt(
    channel: EmailChannel, capture: Capture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("shared_code.notifications.email.SEND_SECONDS", 0.3)
    capture.switch("hold", seconds=3)
    operation = new_id()
    assert await channel.send(MESSAGE, operation) == PutOff("no answer", None, in_doubt=True)
    assert await channel.operation(operation) is not None
