"""The `aggregates` container: a person's statistics by day, recomputed from the Observations that `records` has.

    {id: "day:<day>:<digest>", pk, person, day, code, unit, numbers, sources}
    numbers   {count, sum, min, max, mean}; decimals as text, since Cosmos would round them
    sources   short digests of the ids of the Observations counted here, so that an amended one is found where it was
    {id: "turn", pk, turn}   changes with every update of the person's statistics

Every update of a person's statistics reads the turn before it reads any record, and writes under its ETag. So an update
that read older records than another has already counted finds the turn changed, and begins again.
Source: docs/statistics.md
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING, Any, NamedTuple

from shared_code import errors
from shared_code.azure.cosmos import (
    MAX_BATCH_OPERATIONS,
    Item,
    Operation,
    cosmos_errors,
    cut,
    in_parallel,
    read_or_none,
    stored_bytes,
)
from shared_code.fhir import parse
from shared_code.statistics.measures import Key, Tally, plain, points, tallies

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

DAYS_AT_ONCE = 31
PERSONS_AT_ONCE = 8
MAX_SOURCES = 120_000  # about 1.3 MB of an item; an Observation beyond is counted, but not found when it is amended
_ATTEMPTS = 5
_TURN = "turn"
_DAY = timedelta(days=1)


class Person(NamedTuple):
    """Whose statistics: a partition, and "Patient/<id>" in full."""

    pk: str
    reference: str


class Aggregates:
    """Keeps the statistics of persons by what `records` has, and answers from them."""

    def __init__(self, records: ContainerProxy, aggregates: ContainerProxy, now: Callable[[], datetime]) -> None:
        self._records, self._aggregates, self._now = records, aggregates, now

    async def update(self, changed: Sequence[Item]) -> None:
        """Recompute the days that these current items of `records` touch; the same items again change nothing."""
        observations: dict[Person, dict[str, Item]] = {}
        for item in changed:
            if item["type"] == "Observation" and item["person"]:
                observations.setdefault(Person(item["pk"], item["person"]), {})[_resource_id(item)] = item
        work = [partial(self._update_person, person, items) for person, items in observations.items()]
        await in_parallel(work, PERSONS_AT_ONCE)

    async def days(self, person: Person, code: str, first: date | None, last: date | None) -> list[Item]:
        """The person's statistics of a code, `first` and `last` included: {day, unit, numbers} by day, then unit."""
        sql = (
            "SELECT c.day, c.unit, c.numbers FROM c"
            " WHERE c.code = @code AND c.person = @person AND c.day >= @first AND c.day <= @last"
        )
        values = {
            "@code": code,
            "@person": person.reference,
            "@first": (first or date.min).isoformat(),
            "@last": (last or date.max).isoformat(),
        }
        rows = [row async for row in self._rows(self._aggregates, person, sql, values)]
        return sorted(rows, key=lambda row: (row["day"], row["unit"]))

    async def _update_person(self, person: Person, changed: dict[str, Item]) -> None:
        for attempt in range(_ATTEMPTS):
            turn = await read_or_none(self._aggregates, _TURN, person.pk)
            days = {key.day for item in changed.values() if not item["deleted"] for key, _ in _points(item)}
            days |= await self._days_counted(person, changed)
            groups = [list(group) for group in batched(sorted(days), DAYS_AT_ONCE, strict=False)]
            etag = str(turn["_etag"]) if turn else None
            try:
                for group in groups or [[]]:
                    etag = await self._recompute(person, group, etag)
                return
            except (errors.Conflict, errors.VersionConflict):
                if attempt == _ATTEMPTS - 1:
                    raise

    async def _recompute(self, person: Person, days: Sequence[str], etag: str | None) -> str | None:
        """Make the aggregates of these days what `records` says; gives the new ETag of the turn.

        The turn changes even where no aggregate does: a slower update must not overlook that nothing counts any more.
        """
        items = {}
        kept: dict[str, Item] = {}
        if days:
            found = tallies(await self._counted(person, days))
            items = {item["id"]: item for item in (aggregate(person, key, tally) for key, tally in found.items())}
            kept = await self._kept(person, days)
        operations: list[Operation] = [("upsert", (item,)) for name, item in items.items() if item != kept.get(name)]
        operations += [("delete", (name,)) for name in kept if name not in items]
        for batch in list(_batches(operations)) or [[]]:
            etag = await self._write(person, batch, etag)
        return etag

    async def _write(self, person: Person, operations: list[Operation], etag: str | None) -> str:
        turn = {"id": _TURN, "pk": person.pk, "turn": self._now().isoformat()}
        take: Operation = ("replace", (_TURN, turn), {"if_match_etag": etag}) if etag else ("create", (turn,))
        with cosmos_errors(f"statistics of partition {person.pk}"):
            results = await self._aggregates.execute_item_batch([take, *operations], person.pk, no_response=True)
        return str(results[0]["eTag"])

    # Reading

    async def _days_counted(self, person: Person, resource_ids: Collection[str]) -> set[str]:
        """The days in whose statistics any of these Observations is counted now."""
        names = {f"@s{number}": source_digest(resource_id) for number, resource_id in enumerate(resource_ids)}
        of_these = f"EXISTS(SELECT VALUE s FROM s IN c.sources WHERE s IN ({', '.join(names)}))"
        return {
            str(day)
            async for day in self._rows(self._aggregates, person, f"SELECT VALUE c.day FROM c WHERE {of_these}", names)
        }

    async def _kept(self, person: Person, days: Sequence[str]) -> dict[str, Item]:
        """The stored aggregates of these days, by item id."""
        names = {f"@d{number}": day for number, day in enumerate(days)}
        sql = f"SELECT * FROM c WHERE c.day IN ({', '.join(names)}) AND c.person = @person"
        values = {**names, "@person": person.reference}
        return {
            row["id"]: {name: value for name, value in row.items() if not name.startswith("_")}
            async for row in self._rows(self._aggregates, person, sql, values)
        }

    async def _counted(self, person: Person, days: Sequence[str]) -> list[tuple[str, Key, Decimal]]:
        """The numbers that count for one of these days, with the ids of their Observations, as `records` has them now.

        What a transaction has marked counts as it was before; it comes by the change feed again when that is decided.
        """
        sql, values = observations_query(days)
        return [
            (_resource_id(row), key, value)
            async for row in self._rows(self._records, person, sql, values | {"@person": person.reference})
            for key, value in _points(row)
            if key.day in days
        ]

    async def _rows(
        self, container: ContainerProxy, person: Person, sql: str, values: dict[str, Any]
    ) -> AsyncIterator[Any]:
        parameters: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in values.items()]
        with cosmos_errors(f"statistics of partition {person.pk}"):
            async for row in container.query_items(sql, parameters=parameters, partition_key=person.pk):
                yield row


def observations_query(days: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """The Observations of @person that may count for one of these sorted days, as SQL and its values.

    Dates are stored in UTC and a day is of any offset, so each day is looked for with one before and one after. The
    limits of a Timing may begin long before the event that it counts for, which is found by itself then. An
    Observation without effective[x] has no date to be found by, so all of those are looked at: they are few.
    """
    values: dict[str, Any] = {}
    terms = ['NOT IS_DEFINED(c.s["date"])']
    for number, (first, end) in enumerate(_spans(days)):
        values |= {f"@first{number}": first, f"@end{number}": end}
        within = " OR ".join(f"(d.{part} >= @first{number} AND d.{part} < @end{number})" for part in ("lo", "first"))
        terms.append(f'EXISTS(SELECT VALUE d FROM d IN c.s["date"] WHERE {within})')
    sql = (
        "SELECT c.id, c.resource FROM c WHERE c.kind = 'current' AND c.type = 'Observation' AND c.deleted = false"
        f" AND c.person = @person AND ({' OR '.join(terms)})"
    )
    return sql, values


def aggregate(person: Person, key: Key, tally: Tally) -> Item:
    """The item of a day's statistics."""
    name = json.dumps([person.reference, key.code, key.unit])
    return {
        "id": f"day:{key.day}:{_digest(name, 15)}",
        "pk": person.pk,
        "person": person.reference,
        **key._asdict(),
        "numbers": {
            "count": tally.count,
            "sum": plain(tally.sum),
            "min": plain(tally.min),
            "max": plain(tally.max),
            "mean": plain(tally.mean),
        },
        "sources": sorted(map(source_digest, tally.sources))[:MAX_SOURCES],
    }


def source_digest(resource_id: str) -> str:
    """48 bits of an id: where two share them, a day is recomputed once more than needed."""
    return _digest(resource_id, 6)


def _digest(text: str, length: int) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:length]).decode()


def _points(item: Item) -> list[tuple[Key, Decimal]]:
    return points(parse(item["resource"]))


def _resource_id(item: Item) -> str:
    return str(item["id"]).split(":", 1)[1]


def _spans(days: Sequence[str]) -> list[tuple[str, str]]:
    """The first day and the day after the last of each run of sorted days, widened by one day on both sides."""
    spans: list[tuple[str, str]] = []
    for day in map(date.fromisoformat, days):
        first = (day - _DAY).isoformat() if day > date.min else ""
        end = (day + 2 * _DAY).isoformat() if day < date.max - _DAY else "9999-12-32"
        if spans and first <= spans[-1][1]:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((first, end))
    return spans


def _batches(operations: Sequence[Operation]) -> Iterator[list[Operation]]:
    """The operations in batches that leave room for the turn."""
    for some in batched(operations, MAX_BATCH_OPERATIONS - 1, strict=False):
        yield from cut([(one, 1, stored_bytes(one[1][0]) if one[0] == "upsert" else 0) for one in some])
