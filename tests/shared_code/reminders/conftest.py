"""The journey of a reminder, on the local Cosmos server and the local email service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest
from azure.communication.email.aio import EmailClient
from azure.core.credentials import AzureKeyCredential

from tests.shared_code.notifications.capture import Capture
from tests.shared_code.reminders.journey import Clock, Journey, anna

if TYPE_CHECKING:
    from azure.cosmos.aio import DatabaseProxy


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Capture]:
    with Capture(tmp_path_factory.mktemp("capture")) as capture:
        yield capture


@pytest.fixture
def capture(served: Capture) -> Capture:
    """The service with nothing caught yet, behaving well."""
    served.forget()
    return served


@pytest.fixture
async def journey(database: DatabaseProxy, capture: Capture) -> AsyncIterator[Journey]:
    """An hour before a reminder of Anna's visit is due; Anna is stored, the visit is not."""
    async with EmailClient(capture.url, AzureKeyCredential(capture.key), retry_total=0) as client:
        made = Journey(database, client, Clock())
        await made.put(anna())
        yield made
        await made.store.transactions.quiet()
