"""Request units per second: what a container may spend, divided among its physical partitions."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from local.cosmos.errors import CosmosError
from local.cosmos.partition_keys import KeyDefinition
from local.cosmos.ranges import Ranges
from local.cosmos.wire import Request

_REQUEST_RATE_IS_LARGE = 3200


@dataclass(slots=True)
class _Budget:
    units: float
    at: float


class Throughput:
    """A budget for each range of each container, refilled steadily up to one second's worth.

    As in the service a request may overdraw the budget; the next ones wait until it is paid back.
    """

    def __init__(self, units_per_second: int, range_count: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = units_per_second / range_count
        self._clock = clock
        self._budgets: dict[tuple[int, str], _Budget] = {}

    def require(self, container: int, range_id: str) -> None:
        """Raises CosmosError 429 with the time to wait while there is nothing left."""
        budget = self._refilled(container, range_id)
        if budget.units <= 0:
            wait = max(1, math.ceil((-budget.units + 1) / self._rate * 1000))
            raise CosmosError(
                429,
                "Request rate is large. More Request Units may be needed, so no changes were made.",
                _REQUEST_RATE_IS_LARGE,
                {"x-ms-retry-after-ms": str(wait)},
            )

    def spend(self, container: int, range_id: str, charge: float) -> None:
        """Take what a request has cost."""
        self._refilled(container, range_id).units -= charge

    def _refilled(self, container: int, range_id: str) -> _Budget:
        moment = self._clock()
        budget = self._budgets.setdefault((container, range_id), _Budget(self._rate, moment))
        budget.units = min(self._rate, budget.units + (moment - budget.at) * self._rate)
        budget.at = moment
        return budget


def ranges_of(request: Request, definition: KeyDefinition, ranges: Ranges) -> list[str]:
    """The ids of the ranges that a request on items is about: the one it names, that of its key, or all."""
    range_id = request.header(b"x-ms-documentdb-partitionkeyrangeid")
    if range_id is not None:
        return [range_id.rpartition(",")[2]]
    key = request.header(b"x-ms-documentdb-partitionkey")
    if key is not None:
        return [ranges.id_of(definition.prefix_of_header(key).epk)]
    return [str(number) for number in range(len(ranges.intervals))]
