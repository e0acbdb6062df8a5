"""The physical partitions of a container: intervals of the effective partition key, all over one table."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

from local.cosmos.errors import RANGE_IS_GONE, CosmosError, bad_request
from local.cosmos.partition_keys import KeyDefinition, PartitionKey, incomplete_key
from local.cosmos.wire import Request

LOWEST, HIGHEST = "", "FF"
_SPACE = 0x40 << 120  # hashes have their two highest bits cleared


@dataclass(frozen=True, slots=True)
class Interval:
    """Effective partition keys from `minimum` up to, not with, `maximum`."""

    minimum: str
    maximum: str

    def clipped(self, other: Interval) -> Interval:
        """What both have in common; empty where they do not meet."""
        return Interval(max(self.minimum, other.minimum), min(self.maximum, other.maximum))


WHOLE = Interval(LOWEST, HIGHEST)


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of a container that a request is about.

    key       the one complete partition key, where the request has one
    interval  where there is no complete key: the range, the part of it, or the key prefix
    range_id  the physical partition that the request names or lies in; None if it may lie in several
    """

    key: PartitionKey | None
    interval: Interval
    range_id: str | None


class Ranges:
    """`count` physical partitions of equal width."""

    def __init__(self, count: int) -> None:
        bounds = [f"{_SPACE * i // count:032X}" for i in range(1, count)]
        self._starts = [LOWEST, *bounds]
        self.intervals = [Interval(*pair) for pair in zip(self._starts, [*bounds, HIGHEST], strict=True)]

    def id_of(self, epk: str) -> str:
        """The id of the range that an effective partition key lies in."""
        return str(bisect_right(self._starts, epk) - 1)

    def interval(self, range_id: str) -> Interval:
        """Raises CosmosError 410 / 1002 where there is no such range."""
        if not range_id.isdecimal() or int(range_id) >= len(self.intervals):
            raise CosmosError(410, f"The partition key range {range_id[:40]} no longer exists.", RANGE_IS_GONE)
        return self.intervals[int(range_id)]

    def session_token(self, lsn: int) -> str:
        """The session token of a request that is not about one range."""
        return ",".join(f"{number}:-1#{lsn}" for number in range(len(self.intervals)))

    def described(self) -> list[dict[str, Any]]:
        """The ranges as a client reads them; their resource fields are added by the caller."""
        return [
            {
                "id": str(number),
                "minInclusive": interval.minimum,
                "maxExclusive": interval.maximum,
                "ridPrefix": number,
                "throughputFraction": round(1 / len(self.intervals), 4),
                "status": "online",
                "parents": [],
            }
            for number, interval in enumerate(self.intervals)
        ]


def scope_of(request: Request, definition: KeyDefinition, ranges: Ranges) -> Scope | None:
    """The scope that a query or feed request names by its headers; None if it names none."""
    range_id = request.header(b"x-ms-documentdb-partitionkeyrangeid")
    if range_id is not None:
        range_id = range_id.rpartition(",")[2]  # "<container rid>,<range id>" is allowed
        interval = ranges.interval(range_id)
        start, end = request.header(b"x-ms-start-epk"), request.header(b"x-ms-end-epk")
        if start is not None or end is not None:
            if (request.header(b"x-ms-read-key-type") or "") != "EffectivePartitionKeyRange":
                raise bad_request("The header x-ms-read-key-type must say EffectivePartitionKeyRange.")
            interval = interval.clipped(Interval((start or LOWEST).upper(), (end or HIGHEST).upper()))
        return Scope(None, interval, range_id)
    text = request.header(b"x-ms-documentdb-partitionkey")
    if text is None:
        return None
    key = definition.prefix_of_header(text)
    if len(key.components) == len(definition.paths):
        return Scope(key, WHOLE, ranges.id_of(key.epk))
    if not key.components:
        raise incomplete_key()
    interval = Interval(key.epk, key.epk + HIGHEST)
    return Scope(None, interval, ranges.id_of(key.epk) if len(ranges.intervals) == 1 else None)
