"""A record store and its daily statistics on a fresh database of the local Cosmos server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from shared_code.azure.change_feed import follow
from shared_code.azure.cosmos import Item
from shared_code.records import RecordStore
from shared_code.statistics import DailyStatistics
from shared_code.statistics.aggregates import Aggregates
from tests.builders import system

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy, DatabaseProxy

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
WEIGHT = "http://loinc.org|29463-7"


@dataclass(frozen=True, slots=True)
class Portal:
    """What a test writes to, and what it then asks."""

    store: RecordStore
    statistics: DailyStatistics
    records: ContainerProxy
    aggregates: ContainerProxy
    leases: ContainerProxy

    def runner(self) -> Aggregates:
        """One more instance that counts, which no lease holds back."""
        return Aggregates(self.records, self.aggregates, lambda: NOW)

    async def changes(self) -> list[list[Item]]:
        """The pages of the change feed that were not yet asked for here."""
        pages: list[list[Item]] = []

        async def keep(items: list[Item]) -> None:
            pages.append(items)

        await follow(self.records, self.leases, "test", keep)
        return pages

    async def counted(self) -> None:
        """Until the statistics have followed all that was written."""
        await self.store.transactions.quiet()
        followed = await self.statistics.follow()
        assert followed is not None
        assert followed.as_of is not None

    async def days(self, patient: str = "anna", code: str = WEIGHT, **query: str) -> dict[str, tuple[Any, ...]]:
        """By day: unit, count, min, max and mean; numbers as text."""
        asked = {"patient": patient, "code": code, **query}
        found = await self.statistics.answer(system(), asked.items())
        return {
            day["date"]: (day["unit"], day["count"], *(str(day[name]) for name in ("min", "max", "mean")))
            for day in found["days"]
        }

    async def stored_aggregates(self) -> list[dict[str, Any]]:
        """Every aggregate as stored, by id, without what changes with every write."""
        rows = [row async for row in self.aggregates.read_all_items() if row["id"] != "turn"]
        mine = [{name: value for name, value in row.items() if not name.startswith("_")} for row in rows]
        return sorted(mine, key=lambda row: (row["pk"], row["id"]))


@pytest.fixture
async def portal(database: DatabaseProxy) -> AsyncIterator[Portal]:
    containers = ("records", "keys", "transactions", "aggregates", "leases")
    records, keys, transactions, aggregates, leases = map(database.get_container_client, containers)
    store = RecordStore(records, keys, transactions)
    statistics = DailyStatistics(records, aggregates, leases, lambda: NOW)
    yield Portal(store, statistics, records, aggregates, leases)
    await store.transactions.quiet()
