"""What a FHIR call costs over the Cosmos calls that it makes: read, create and update, one at a time."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.measuring.connection import Connection
from bench.measuring.processes import CpuMeter
from bench.measuring.records import observation
from bench.measuring.report import Findings
from bench.measuring.stack import Bench, run, served

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

PERSON = "bench-person"
TARGETS = {"read": 1.6, "create": 1.6, "update": 1.4}
TURN = 25  # calls of one side before the other has its turn: both meet the same weather
RESOURCES = 40  # that reads and updates go round

# Makes the call of a number; what it sends is ready before the clock starts.
Call = Callable[[int], Awaitable[object]]
COLUMNS = (
    *("call", "HTTP p50 ms", "SDK p50 ms", "ratio", "lowest", "highest", "target"),
    *("functions CPU ms", "Cosmos CPU ms", "Cosmos CPU ms, SDK alone"),
)


def main(arguments: Sequence[str] = ()) -> int:
    """Measure, print and write; 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="dev.py bench http_overhead", description=__doc__)
    parser.add_argument("--repeats", type=int, default=7, metavar="N", help="medians of so many rounds (default: 7)")
    parser.add_argument("--calls", type=int, default=200, metavar="N", help="calls per side and round (default: 200)")
    given = parser.parse_args(arguments)
    return run(lambda: measure(given.repeats, given.calls)).publish()


async def measure(repeats: int, calls: int) -> Findings:
    """All three interactions, in turns."""
    findings = Findings("http_overhead", "HTTP calls over the same Cosmos calls by the SDK, one at a time", COLUMNS)
    async with served(timers=False) as bench, await bench.as_person(PERSON) as app:
        sides = await Sides.prepared(app, bench.records)
        rounds: dict[str, Rounds] = {name: Rounds(bench) for name in sides.calls}
        for name, (by_http, by_sdk) in sides.calls.items():
            await rounds[name].turns(by_http, by_sdk, 4 * TURN)
            rounds[name] = Rounds(bench)  # what ran until here has only warmed both sides
        for _ in range(repeats):
            for name, (by_http, by_sdk) in sides.calls.items():
                await rounds[name].turns(by_http, by_sdk, calls)
    for name, one in rounds.items():
        findings.rows.append(row := one.row(name))
        if row["ratio"] >= TARGETS[name]:
            findings.missed.append(f"{name}: {row['ratio']:.2f} where less than {TARGETS[name]} is wanted")
    findings.facts |= {"repeats": repeats, "calls per side and repeat": calls}
    return findings


class Sides:
    """The same work twice: by one HTTP request, and by the Cosmos calls that the app makes for it."""

    def __init__(self, app: Connection, records: ContainerProxy, items: Sequence[dict[str, Any]]) -> None:
        self._app, self._records, self._items = app, records, items
        self._versions = [1] * len(items)
        self._number = 0
        self.calls: dict[str, tuple[Call, Call]] = {
            "read": (self._http_read, self._sdk_read),
            "create": (self._http_create, self._sdk_create),
            "update": (self._http_update, self._sdk_update),
        }
        # The SDK's side has resources of its own, so that neither changes what the other expects.
        self._ids = [item["id"].partition(":")[2] for item in items]
        self._own = [stripped(item) for item in items]

    @classmethod
    async def prepared(cls, app: Connection, records: ContainerProxy) -> Sides:
        """Both sides' resources, stored: the SDK writes the very items that the app has made."""
        items = []
        for number in range(RESOURCES):
            reply = await app.expect(201, "POST", "Observation", body_of(number))
            stored = json.loads(reply.body)
            pk = stored["id"].partition("-")[0]
            items.append(await records.read_item(f"Observation:{stored['id']}", partition_key=pk))
        sides = cls(app, records, items)
        for own in sides._own:
            own["id"] += ".sdk"
            await records.create_item(own)
        return sides

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _http_read(self, number: int) -> Awaitable[object]:
        return self._app.expect(200, "GET", f"Observation/{self._ids[number % RESOURCES]}")

    def _sdk_read(self, number: int) -> Awaitable[object]:
        own = self._own[number % RESOURCES]
        return self._records.read_item(own["id"], partition_key=own["pk"])

    def _http_create(self, number: int) -> Awaitable[object]:
        return self._app.expect(201, "POST", "Observation", body_of(number))

    def _sdk_create(self, number: int) -> Awaitable[object]:
        own = self._own[number % RESOURCES]
        return self._records.create_item(own | {"id": f"{own['id']}-{self._next():010d}"}, no_response=True)

    def _http_update(self, number: int) -> Awaitable[object]:
        place = number % RESOURCES
        own, version = self._ids[place], self._versions[place]
        self._versions[place] += 1
        body = body_of(self._next(), own)
        return self._app.expect(200, "PUT", f"Observation/{own}", body, {"if-match": f'W/"{version}"'})

    async def _sdk_update(self, number: int) -> None:
        own = self._own[number % RESOURCES]
        base = await self._records.read_item(own["id"], partition_key=own["pk"])
        item = stripped(base) | {"version": base["version"] + 1}
        past = {name: value for name, value in stripped(base).items() if name != "s"}
        past |= {"id": f"{base['id']}:{base['version']}", "kind": "past", "of": base["id"]}
        operations: list[Any] = [
            ("replace", (item["id"], item), {"if_match_etag": base["_etag"]}),
            ("create", (past,)),
        ]
        await self._records.execute_item_batch(operations, own["pk"], no_response=True)


class Rounds:
    """The times of both sides of one call, taken in turns, and the processor time meanwhile."""

    def __init__(self, bench: Bench) -> None:
        self._times: tuple[list[float], list[float]] = ([], [])
        self._ratios: list[float] = []
        self._cpu = (CpuMeter(bench.pids), CpuMeter(bench.pids))

    async def turns(self, by_http: Call, by_sdk: Call, calls: int) -> None:
        """One round: `calls` of each side, a few at a time."""
        times: tuple[list[float], list[float]] = ([], [])
        for start in range(0, calls, TURN):
            for side, call in enumerate((by_http, by_sdk)):
                self._cpu[side].start()
                for number in range(start, min(start + TURN, calls)):
                    prepared = call(number)
                    began = time.perf_counter()
                    await prepared
                    times[side].append(time.perf_counter() - began)
                self._cpu[side].stop()
        self._ratios.append(median(times[0]) / median(times[1]))
        for all_times, new in zip(self._times, times, strict=True):
            all_times.extend(new)

    def row(self, name: str) -> dict[str, Any]:
        """What the rounds come to."""
        of_http, of_sdk = (cpu.ms_per(len(times)) for cpu, times in zip(self._cpu, self._times, strict=True))
        return {
            "call": name,
            "HTTP p50 ms": median(self._times[0]) * 1000,
            "SDK p50 ms": median(self._times[1]) * 1000,
            "ratio": median(self._ratios),
            "lowest": min(self._ratios),
            "highest": max(self._ratios),
            "target": f"< {TARGETS[name]}",
            "functions CPU ms": of_http["functions"],
            "Cosmos CPU ms": of_http["cosmos"],
            "Cosmos CPU ms, SDK alone": of_sdk["cosmos"],
        }


def body_of(number: int, resource_id: str | None = None) -> bytes:
    """An Observation of the person, as a client sends it."""
    resource = observation(f"Patient/{PERSON}", None, number)
    return json.dumps(resource | ({"id": resource_id} if resource_id else {}), separators=(",", ":")).encode()


def stripped(item: dict[str, Any]) -> dict[str, Any]:
    """The item as its writer gave it, without what the store added."""
    return {name: value for name, value in item.items() if not name.startswith("_")}
