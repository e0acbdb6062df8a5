"""A record store on a fresh database of the local Cosmos server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from shared_code.records import RecordStore
from tests.shared_code.records.deaths import store_of

if TYPE_CHECKING:
    from azure.cosmos.aio import DatabaseProxy


@pytest.fixture
async def store(database: DatabaseProxy) -> AsyncIterator[RecordStore]:
    """The store under test; what goes on behind its answers ends before the database goes."""
    made = store_of(database)
    yield made
    await made.transactions.quiet()
