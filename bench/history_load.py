"""How fast whole histories load, beside the SDK alone writing the same items in batches of 100."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from itertools import cycle, groupby
from pathlib import Path
from statistics import median
from typing import Any

from bench.measuring.charges import ChargedTransport
from bench.measuring.connection import Connection
from bench.measuring.processes import CpuMeter
from bench.measuring.records import care_givers, history
from bench.measuring.report import Findings
from bench.measuring.stack import Bench, run, served
from local.loading.sources import sources_of
from shared_code.azure.cosmos import Item, cut, read_many, stored_bytes
from shared_code.fhir import parse
from shared_code.identity import Caller, read_scopes
from shared_code.loading import BundleLoader, response_bundle
from shared_code.records import RecordStore, partition_key
from shared_code.records.locating import item_id, partition_of_id

CONCURRENCIES = (1, 4)
LEAST_SHARE = 0.40
SYSTEM = Caller("bench", "system", None, read_scopes(["system/*.cruds"]))
MOST_BYTES = 50 * 1024 * 1024
COLUMNS = (
    *("histories at a time", "answered ms", "promoted ms", "resources/s", "SDK alone, resources/s"),
    *("share", "share when promoted", "target", "functions CPU ms each", "Cosmos CPU ms each", "Cosmos CPU ms, SDK"),
)


def main(arguments: Sequence[str] = ()) -> int:
    """Measure, print and write; 1 where the target is missed."""
    parser = argparse.ArgumentParser(prog="dev.py bench history_load", description=__doc__)
    parser.add_argument("--entries", type=int, default=400, metavar="N", help="entries of a history (default: 400)")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="medians of so many rounds (default: 5)")
    parser.add_argument(
        "--bundles", type=Path, metavar="DIR", help="take the histories of this folder, nearest in size"
    )
    given = parser.parse_args(arguments)
    return run(lambda: measure(given.entries, given.repeats, given.bundles)).publish()


async def measure(entries: int, repeats: int, folder: Path | None) -> Findings:
    """Both sides in turns, one history at a time and then four."""
    findings = Findings("history_load", "Histories loaded, and the same items written by the SDK alone", COLUMNS)
    needed = 2 + (repeats + 1) * sum(CONCURRENCIES)
    first, histories = bundles_in(folder, entries) if folder else ([care_givers()], made(entries, needed))
    transport = ChargedTransport()
    async with served(transport=transport) as bench, AsyncExitStack() as open_connections:
        connections = [await open_connections.enter_async_context(await bench.as_system()) for _ in range(4)]
        for bundle in first:
            await connections[0].expect(200, "POST", "", json.dumps(bundle).encode())
        sides = Sides(bench, connections)
        for at_a_time in CONCURRENCIES:
            rounds = Rounds(bench, at_a_time)
            await rounds.take(sides, [next(histories) for _ in range(at_a_time)])
            rounds = Rounds(bench, at_a_time)  # what ran until here has only warmed both sides
            for _ in range(repeats):
                await rounds.take(sides, [next(histories) for _ in range(at_a_time)])
            findings.rows.append(row := rounds.row())
            if row["share"] < LEAST_SHARE:
                findings.missed.append(f"{at_a_time} at a time: {row['share']:.0%} where {LEAST_SHARE:.0%} are wanted")
        findings.facts |= await charged(bench, transport, next(histories))
    findings.facts |= {"entries of the last history": sides.last_size, "repeats": repeats}
    return findings


def made(entries: int, count: int) -> Iterator[dict[str, Any]]:
    """Histories of our own making."""
    return (history(number, entries) for number in range(count))


def bundles_in(folder: Path, entries: int) -> tuple[list[dict[str, Any]], Iterator[dict[str, Any]]]:
    """The care givers' bundles of a folder, and its four histories of about that many entries, again and again."""
    read = [(one, json.loads(one.text(MOST_BYTES) or b"{}")) for one in sources_of([folder])]
    first = [bundle for source, bundle in read if source.is_first]
    histories = [bundle for source, bundle in read if not source.is_first]
    histories.sort(key=lambda bundle: abs(len(bundle["entry"]) - entries))
    return first, cycle(histories[: max(CONCURRENCIES)])


class Sides:
    """The same histories twice: as bundles through the app, and as their items by the SDK."""

    def __init__(self, bench: Bench, connections: list[Connection]) -> None:
        self._bench, self._connections = bench, connections
        self._copies = 0
        self.last_size = 0

    async def by_http(self, bundles: Sequence[bytes]) -> tuple[list[bytes], float]:
        """Load side by side; the answers, and the seconds until the last of them."""
        began = time.perf_counter()
        replies = await asyncio.gather(
            *(
                connection.expect(200, "POST", "", bundle)
                for connection, bundle in zip(self._connections, bundles, strict=False)
            )
        )
        return [reply.body for reply in replies], time.perf_counter() - began

    async def items_of(self, answer: bytes) -> list[Item]:
        """The items that a load has made, by the locations in its answer."""
        keys = []
        for entry in json.loads(answer)["entry"]:
            if entry["response"]["status"].startswith("201"):
                resource_type, own = entry["response"]["location"].split("/")[:2]
                pk = partition_of_id(own) or partition_key(f"{resource_type}/{own}")
                keys.append((item_id(resource_type, own), pk))
        found = await read_many(self._bench.records, keys, "pk")
        self.last_size = len(found)
        if any("tx" in item for item in found.values()):
            raise RuntimeError("an item is marked, though its transaction has no header any more")
        return [{name: item[name] for name in item if not name.startswith("_")} for item in found.values()]

    async def by_sdk(self, histories: Sequence[Sequence[Item]]) -> float:
        """Write the items again, in partitions of their own; the seconds that it took."""
        self._copies += 1
        work = []
        for number, items in enumerate(histories):
            copies = [item | {"pk": f"{item['pk']}.{self._copies}.{number}"} for item in items]
            copies.sort(key=lambda item: str(item["pk"]))
            by_partition = [list(group) for _, group in groupby(copies, key=lambda item: item["pk"])]
            work.append([batch for group in by_partition for batch in batches(group)])
        began = time.perf_counter()
        await asyncio.gather(*(self._written(one) for one in work))
        return time.perf_counter() - began

    async def _written(self, work: Sequence[Sequence[Item]]) -> None:
        for batch in work:
            operations: list[Any] = [("create", (item,)) for item in batch]
            await self._bench.records.execute_item_batch(operations, batch[0]["pk"], no_response=True)


def batches(items: Sequence[Item]) -> list[list[Item]]:
    """Items of one partition in batches of 100, or fewer where they are large."""
    return list(cut([(item, 1, stored_bytes(item)) for item in items]))


class Rounds:
    """The times of both sides, taken in turns, and the processor time meanwhile."""

    def __init__(self, bench: Bench, at_a_time: int) -> None:
        self._bench, self._at_a_time = bench, at_a_time
        self._answered: list[float] = []
        self._promoted: list[float] = []
        self._alone: list[float] = []
        self._resources: list[int] = []
        self._cpu = (CpuMeter(bench.pids), CpuMeter(bench.pids))

    async def take(self, sides: Sides, bundles: Sequence[dict[str, Any]]) -> None:
        """One round of each side."""
        texts = [json.dumps(bundle).encode() for bundle in bundles]
        self._cpu[0].start()
        began = time.perf_counter()
        answers, answered = await sides.by_http(texts)
        await self._bench.promoted()
        self._promoted.append(time.perf_counter() - began)
        self._cpu[0].stop()
        self._answered.append(answered)
        histories = [await sides.items_of(answer) for answer in answers]
        self._resources.append(sum(map(len, histories)))
        self._cpu[1].start()
        self._alone.append(await sides.by_sdk(histories))
        self._cpu[1].stop()

    def row(self) -> dict[str, Any]:
        """What the rounds come to."""
        count = sum(self._resources)
        by_http, by_sdk = (cpu.ms_per(count) for cpu in self._cpu)
        return {
            "histories at a time": self._at_a_time,
            "answered ms": median(self._answered) * 1000,
            "promoted ms": median(self._promoted) * 1000,
            "resources/s": median(_each(self._resources, self._answered)),
            "SDK alone, resources/s": median(_each(self._resources, self._alone)),
            "share": median(_each(self._alone, self._answered)),
            "share when promoted": median(_each(self._alone, self._promoted)),
            "target": f"≥ {LEAST_SHARE}",
            "functions CPU ms each": by_http.get("functions"),
            "Cosmos CPU ms each": by_http.get("cosmos"),
            "Cosmos CPU ms, SDK": by_sdk.get("cosmos"),
        }


def _each(dividends: Sequence[float], divisors: Sequence[float]) -> list[float]:
    return [one / other for one, other in zip(dividends, divisors, strict=True)]


async def charged(bench: Bench, transport: ChargedTransport, bundle: dict[str, Any]) -> dict[str, float]:
    """Request units per resource, of the app's own loader within this process and of the SDK alone."""
    records, keys, headers = map(bench.database.get_container_client, ("records", "keys", "transactions"))
    store = RecordStore(records, keys, headers)
    before = transport.request_units
    results = await BundleLoader(store, "http://127.0.0.1/api/fhir").carry_out(SYSTEM, parse(json.dumps(bundle)))
    await store.transactions.quiet()
    loaded = transport.request_units - before
    sides = Sides(bench, [])
    items = await sides.items_of(json.dumps(response_bundle("transaction", results, with_resources=False)).encode())
    before = transport.request_units
    await sides.by_sdk([items])
    alone = transport.request_units - before
    return {"RU per resource": loaded / len(items), "RU per resource, SDK alone": alone / len(items)}
