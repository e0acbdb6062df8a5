"""What the size of a container costs: the same calls with a thousand and with a million items in it, and the memory."""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import httpx

from bench.measuring.cosmos_process import ServerProcess, cosmos_server
from bench.measuring.processes import resident_mb
from bench.measuring.report import ROOT, Findings
from bench.measuring.signed_requests import send_all, signed
from bench.measuring.stack import run
from local.cosmos.signature import EMULATOR_KEY

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

FEW, MANY = 1_000, 1_000_000
OF_A_PERSON = 20
OF_A_CODE = 20  # items of all people that have one code
MOST_RATIO = 1.15
MOST_RESIDENT_MB = 150
COLUMNS = ("call", "p50 ms, few items", "p50 ms, many", "ratio", "lowest", "highest", "target")
COLLECTION = "dbs/portal/colls/records"
QUERY = {"content-type": "application/query+json", "x-ms-documentdb-isquery": "true"}


@dataclass(frozen=True, slots=True)
class Filled:
    """A server whose container has so many items."""

    server: ServerProcess
    items: int
    chance: random.Random

    def person(self) -> int:
        """Any of those who have items."""
        return self.chance.randrange(self.items // OF_A_PERSON)

    def newcomer(self) -> int:
        """Any of as many others, so that what is created makes no query longer."""
        return self.items + self.person()


def main(arguments: Sequence[str] = ()) -> int:
    """Measure, print and write; 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="dev.py bench cosmos_scale", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="medians of so many rounds (default: 5)")
    parser.add_argument("--calls", type=int, default=1000, metavar="N", help="calls per side and round (default: 1000)")
    parser.add_argument("--items", type=int, default=MANY, metavar="N", help="in the large one (default: a million)")
    given = parser.parse_args(arguments)
    return run(lambda: measure(given.repeats, given.calls, given.items)).publish()


async def measure(repeats: int, calls: int, most: int) -> Findings:
    """Each call in turns on both servers, then a full scan of the large container."""
    findings = Findings("cosmos_scale", f"The same calls with {FEW:,} and {most:,} items in the container", COLUMNS)
    async with AsyncExitStack() as opened:
        few = await opened.enter_async_context(filled(FEW, findings))
        many = await opened.enter_async_context(filled(most, findings))
        for name, (request, status, target) in CALLS.items():
            medians = await _in_turns(few, many, request, status, repeats, calls)
            _report(findings, f"{name}, raw HTTP", medians, target)
        await _by_sdk(findings, few, many, repeats, max(50, calls // 5))
        await _scanned(many, findings)
    findings.facts |= {"repeats": repeats, "calls per side and repeat": calls}
    return findings


async def _in_turns(
    few: Filled, many: Filled, request: Callable[[Filled], bytes], status: int, repeats: int, calls: int
) -> tuple[list[float], list[float]]:
    medians: tuple[list[float], list[float]] = ([], [])
    for number in range(repeats + 1):
        for side, one in zip(medians, (few, many), strict=True):
            requests = [request(one) for _ in range(calls)]
            _, seconds = await send_all(one.server.port, requests, status, 1)
            if number:  # the first round only warms up
                side.append(median(seconds))
    return medians


async def _by_sdk(findings: Findings, few: Filled, many: Filled, repeats: int, calls: int) -> None:
    from azure.cosmos.aio import CosmosClient

    async with CosmosClient(few.server.url, EMULATOR_KEY) as one, CosmosClient(many.server.url, EMULATOR_KEY) as other:
        sides = [
            (client.get_database_client("portal").get_container_client("records"), filled_one)
            for client, filled_one in ((one, few), (other, many))
        ]
        for name, call in SDK_CALLS.items():
            medians: tuple[list[float], list[float]] = ([], [])
            for number in range(repeats + 1):
                for side, (container, filled_one) in zip(medians, sides, strict=True):
                    seconds = []
                    for _ in range(calls):
                        began = time.perf_counter()
                        await call(container, filled_one)
                        seconds.append(time.perf_counter() - began)
                    if number:  # the first round only warms up
                        side.append(median(seconds))
            _report(findings, f"{name}, aio SDK", medians, MOST_RATIO)


def _report(findings: Findings, call: str, medians: tuple[list[float], list[float]], target: float | None) -> None:
    ratios = [after / before for before, after in zip(*medians, strict=True)]
    findings.rows.append(
        {
            "call": call,
            "p50 ms, few items": median(medians[0]) * 1000,
            "p50 ms, many": median(medians[1]) * 1000,
            "ratio": median(ratios),
            "lowest": min(ratios),
            "highest": max(ratios),
            "target": f"<= {target}" if target else "",
        }
    )
    if target and median(ratios) > target:
        findings.missed.append(f"{call}: {median(ratios):.2f} times as long, {target} is wanted")


async def _scanned(many: Filled, findings: Findings) -> None:
    from azure.cosmos.aio import CosmosClient

    async with CosmosClient(many.server.url, EMULATOR_KEY) as client:
        container = client.get_database_client("portal").get_container_client("records")
        before, began = resident_mb(many.server.pid), time.perf_counter()
        counted = [count async for count in container.query_items("SELECT VALUE COUNT(1) FROM c WHERE c.number >= 0")]
        seconds = time.perf_counter() - began
    resident = resident_mb(many.server.pid)
    findings.facts |= {
        "items counted by a full scan": counted[0],
        "full scan, s": seconds,
        "resident MB before it": before,
        "resident MB after it": resident,
    }
    if resident is not None and resident >= MOST_RESIDENT_MB:
        findings.missed.append(f"{resident:.0f} MB resident after a full scan, less than {MOST_RESIDENT_MB} is wanted")


@asynccontextmanager
async def filled(items: int, findings: Findings) -> AsyncIterator[Filled]:
    """A server of its own with so many items, all of which the index has seen."""
    containers = ("--containers", str(ROOT / "infra" / "containers.json"), "--database", "portal")
    with (
        tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder,
        cosmos_server(Path(folder), containers) as server,
    ):
        print(f"writing {items:,} items ...", file=sys.stderr, flush=True)
        began = time.perf_counter()
        step = 500
        for start in range(0, items // OF_A_PERSON, step):
            people = range(start, min(start + step, items // OF_A_PERSON))
            await send_all(server.port, [_history(person) for person in people], 200, 4)
        written = time.perf_counter()
        _wait_for_index(server)
        findings.facts |= {
            f"writing {items:,} items, s": written - began,
            f"indexing {items:,} items, s": time.perf_counter() - written,
            f"on disk with {items:,} items, MB": _megabytes(Path(folder)),
        }
        yield Filled(server, items, random.Random(items))


def _wait_for_index(server: ServerProcess) -> None:
    while any(httpx.get(f"{server.url}/_local/index", trust_env=False).json().values()):
        time.sleep(0.5)


def _megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.iterdir()) / 1e6


def _item(person: int, name: str, number: int) -> dict[str, Any]:
    """About a kilobyte, of the shape of a stored resource."""
    text = json.dumps({"resourceType": "Observation", "status": "final", "note": [{"text": "as before. " * 50}]})
    code = f"code-{(person * OF_A_PERSON + number) // OF_A_CODE}"
    search = {"code": [f"http://loinc.org|{code}", f"|{code}", code], "status": ["final"]}
    header = {"kind": "current", "type": "Observation", "version": 1, "deleted": False, "number": number}
    return {"id": f"Observation:{name}", "pk": f"person-{person}", **header, "s": search, "resource": text}


def _history(person: int) -> bytes:
    items = [_item(person, f"{number}", number) for number in range(OF_A_PERSON)]
    operations = [{"operationType": "Create", "resourceBody": one} for one in items]
    return _post(person, json.dumps(operations).encode(), {"x-ms-cosmos-is-batch-request": "True"})


def _read(side: Filled) -> bytes:
    person, number = side.person(), side.chance.randrange(OF_A_PERSON)
    link = f"{COLLECTION}/docs/Observation:{number}"
    path = f"/{COLLECTION}/docs/Observation%3A{number}/"
    return signed("GET", path, signed_as=("docs", link), headers=_key(person))


def _query_of_one(side: Filled) -> bytes:
    text = "SELECT * FROM c WHERE c.type = @type AND c.number < @number"
    parameters = [{"name": "@type", "value": "Observation"}, {"name": "@number", "value": OF_A_PERSON}]
    return _post(side.person(), json.dumps({"query": text, "parameters": parameters}).encode(), QUERY)


def _query_of_all(side: Filled) -> bytes:
    code = f"code-{side.chance.randrange(side.items // OF_A_CODE)}"
    body = {"query": "SELECT * FROM c WHERE ARRAY_CONTAINS(c.s.code, @code)"}
    sent = json.dumps(body | {"parameters": [{"name": "@code", "value": code}]}).encode()
    return _post(None, sent, QUERY | {"x-ms-documentdb-query-enablecrosspartition": "True"})


def _create(side: Filled) -> bytes:
    person = side.newcomer()
    return _post(person, json.dumps(_item(person, f"{time.time_ns():026}", OF_A_PERSON)).encode(), {})


# Each with the status that it is answered with and the ratio that is wanted, if one is.
CALLS: dict[str, tuple[Callable[[Filled], bytes], int, float | None]] = {
    "point read": (_read, 200, MOST_RATIO),
    f"query of one partition, {OF_A_PERSON} items": (_query_of_one, 200, MOST_RATIO),
    f"query of all partitions by an indexed path, {OF_A_CODE} items": (_query_of_all, 200, None),
    "create": (_create, 201, MOST_RATIO),
}


async def _sdk_read(container: ContainerProxy, side: Filled) -> object:
    name = f"Observation:{side.chance.randrange(OF_A_PERSON)}"
    return await container.read_item(name, partition_key=f"person-{side.person()}")


async def _sdk_query(container: ContainerProxy, side: Filled) -> object:
    parameters: list[dict[str, Any]] = [{"name": "@type", "value": "Observation"}]
    text, key = "SELECT * FROM c WHERE c.type = @type", f"person-{side.person()}"
    return [item async for item in container.query_items(text, parameters=parameters, partition_key=key)]


async def _sdk_create(container: ContainerProxy, side: Filled) -> object:
    return await container.create_item(_item(side.newcomer(), f"{time.time_ns():026x}", OF_A_PERSON))


SDK_CALLS: dict[str, Callable[[ContainerProxy, Filled], Awaitable[object]]] = {
    "point read": _sdk_read,
    f"query of one partition, {OF_A_PERSON} items": _sdk_query,
    "create": _sdk_create,
}


def _key(person: int) -> dict[str, str]:
    return {"x-ms-documentdb-partitionkey": f'["person-{person}"]'}


def _post(person: int | None, body: bytes, headers: dict[str, str]) -> bytes:
    every = ({} if person is None else _key(person)) | {"content-type": "application/json"} | headers
    return signed("POST", f"/{COLLECTION}/docs/", signed_as=("docs", COLLECTION), headers=every, body=body)
