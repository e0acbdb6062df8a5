"""Daily statistics: kept up to date from the change feed of `records`, and answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from shared_code.azure.change_feed import Followed, follow, followed_until
from shared_code.azure.leases import lease
from shared_code.identity import Caller
from shared_code.records import partition_key
from shared_code.statistics.aggregates import Aggregates, Person
from shared_code.statistics.questions import answer, read_question

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

CONSUMER = "statistics"


class DailyStatistics:
    """Counts, extremes and means of each person's Observations by day."""

    def __init__(
        self, records: ContainerProxy, aggregates: ContainerProxy, leases: ContainerProxy, now: Callable[[], datetime]
    ) -> None:
        self._records, self._leases, self._now = records, leases, now
        self._aggregates = Aggregates(records, aggregates, now)

    async def follow(self) -> Followed | None:
        """Count what changed since the last time; None where another instance is at it."""
        async with lease(self._leases, CONSUMER) as held:
            if held is None:
                return None
            return await follow(self._records, self._leases, CONSUMER, self._aggregates.update, now=self._now)

    async def answer(self, caller: Caller, query: Iterable[tuple[str, str]]) -> dict[str, Any]:
        """The days that a caller's query string asks for, as JSON with Decimals.

        raises   Malformed, Forbidden, NotFound
        """
        question = read_question(caller, query)
        person = Person(partition_key(question.person), question.person)
        as_of = await followed_until(self._leases, CONSUMER)  # before the days, which may be newer but never older
        days = await self._aggregates.days(person, question.code, question.first, question.last)
        return answer(question, days, as_of)
