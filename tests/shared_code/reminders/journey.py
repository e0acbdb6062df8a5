"""A record store, a planner, an outbox and a sweep around one clock, which the test moves."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared_code.fhir import Resource
from shared_code.notifications import EmailChannel, Outbox, Sweep
from shared_code.notifications.email import ENDED
from shared_code.notifications.outbox import CHECKPOINT
from shared_code.records import RecordStore, partition_key
from shared_code.reminders import Letters, Planner
from tests.builders import appointment, patient, system
from tests.shared_code.notifications.capture import SENDER

if TYPE_CHECKING:
    from azure.communication.email.aio import EmailClient
    from azure.cosmos.aio import DatabaseProxy

LEAD_HOURS = 24
START = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)  # an hour before the visit below is due


@dataclass(slots=True)
class Clock:
    """What the product takes for the time."""

    moment: datetime = START

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, **by: float) -> None:
        self.moment += timedelta(**by)


class Journey:
    """What the two timer functions do, on a database and an email service of the test's."""

    def __init__(self, database: DatabaseProxy, client: EmailClient, clock: Clock) -> None:
        self.records, self.container, self.leases = (
            database.get_container_client(name) for name in ("records", "outbox", "leases")
        )
        names = ("records", "keys", "transactions")
        self.store = RecordStore(*(database.get_container_client(name) for name in names))
        self.clock, self.client = clock, client
        self.channel = EmailChannel(client, SENDER)
        self.outbox = Outbox(self.container, self.leases, clock)
        self.planner = Planner(self.container, self.outbox, LEAD_HOURS, clock)

    async def put(self, resource: Resource) -> None:
        """Store it, under its own id."""
        await self.store.update(system(), resource)

    async def delete(self, reference: str) -> None:
        await self.store.delete(system(), *reference.split("/"))

    async def feed(self, appointment_id: str, home: str = "anna") -> dict[str, Any]:
        """The Appointment's item, as the change feed hands it on."""
        item_id = f"Appointment:{appointment_id}"
        return dict(await self.records.read_item(item_id, partition_key=partition_key(f"Patient/{home}")))

    async def plan(self, appointment_id: str = "a1", home: str = "anna") -> None:
        """A run of the planner to which this Appointment is new."""
        await self.planner.handle([await self.feed(appointment_id, home)])

    async def sweep(self) -> Counter[str]:
        """A run of the sender."""
        letters = Letters(self.store, LEAD_HOURS)
        return await Sweep(self.outbox, self.channel, letters.compose, self.clock).run()

    async def items(self) -> list[dict[str, Any]]:
        """Every notification, in the order of their due times."""
        found = self.container.query_items("SELECT * FROM c WHERE c.state != 'again'")
        return sorted([dict(item) async for item in found], key=lambda item: item["dueAt"])

    async def states(self) -> list[str]:
        return [item["state"] for item in await self.items()]

    async def wait_for_operations(self) -> None:
        """Return once the service has ended every operation; the local one takes a second."""
        for item in await self.items():
            async with asyncio.timeout(20):
                operation = await self.channel.operation(item["id"])
                while operation is not None and operation.status not in ENDED:
                    await asyncio.sleep(0.05)
                    operation = await self.channel.operation(item["id"])

    async def checkpoint(self) -> dict[str, Any]:
        return dict(await self.leases.read_item(CHECKPOINT, partition_key=CHECKPOINT))


def anna(**elements: Any) -> Resource:
    """A Patient with an email address."""
    return patient(id="anna", telecom=[{"system": "email", "value": "anna@example.org"}]) | elements


def visit(start: str = "2026-11-24T09:00:00+01:00", appointment_id: str = "a1", **elements: Any) -> Resource:
    """An Appointment of Anna's."""
    return appointment("anna", id=appointment_id, start=start, end=start) | elements
