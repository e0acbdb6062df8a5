"""The email service as the channel meets it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from azure.communication.email.aio import EmailClient
from azure.core.credentials import AzureKeyCredential

from shared_code.notifications import EmailChannel
from tests.shared_code.notifications.capture import SENDER, Capture


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Capture]:
    with Capture(tmp_path_factory.mktemp("capture")) as capture:
        yield capture


@pytest.fixture
def capture(served: Capture) -> Capture:
    """The service with nothing caught yet, behaving well."""
    served.forget()
    return served


@pytest.fixture
async def channel(capture: Capture) -> AsyncIterator[EmailChannel]:
    # The client as shared_code.azure.clients makes it.
    async with EmailClient(capture.url, AzureKeyCredential(capture.key), retry_total=0) as client:
        yield EmailChannel(client, SENDER)
