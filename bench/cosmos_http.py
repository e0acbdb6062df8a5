"""What the Cosmos server adds to HTTP and SQLite: beside a bare application by raw HTTP, and beside recorded answers by
the SDK."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.measuring.cosmos_process import ServerProcess, bare_server, cosmos_server
from bench.measuring.processes import CpuMeter
from bench.measuring.report import ROOT, Findings
from bench.measuring.signed_requests import send_all, signed
from bench.measuring.stack import run
from local.cosmos.signature import EMULATOR_KEY

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

AT_ONCE = 16
LEAST_SHARE = 0.70
MOST_OVER_RECORDED = 1.10
ITEMS = 200  # that reads go round
BATCH = 10
COLUMNS = (
    "from",
    "call",
    "a second",
    "beside it",
    "share",
    "lowest",
    "highest",
    "target",
    "CPU µs",
    "CPU µs beside it",
)
DOCS = "dbs/portal/colls/records/docs"


def main(arguments: Sequence[str] = ()) -> int:
    """Measure, print and write; 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="dev.py bench cosmos_http", description=__doc__)
    parser.add_argument("--repeats", type=int, default=7, metavar="N", help="medians of so many rounds (default: 7)")
    parser.add_argument("--calls", type=int, default=2000, metavar="N", help="calls per side and round (default: 2000)")
    given = parser.parse_args(arguments)
    return run(lambda: measure(given.repeats, given.calls)).publish()


async def measure(repeats: int, calls: int) -> Findings:
    """Raw HTTP first, then the SDK; both sides in turns."""
    findings = Findings("cosmos_http", "The Cosmos server beside bare HTTP and SQLite, and recorded answers", COLUMNS)
    containers = ("--containers", str(ROOT / "infra" / "containers.json"), "--database", "portal")
    with (
        tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder,
        cosmos_server(Path(folder) / "cosmos", containers) as server,
        bare_server(server, Path(folder)) as bare,
        bare_server(server, None) as recorded,
    ):
        await _by_http(findings, server, bare, repeats, calls)
        await _by_sdk(findings, server, recorded, repeats, max(100, calls // 10))
    findings.facts |= {"repeats": repeats, "calls per side and repeat": calls, "connections": AT_ONCE}
    return findings


async def _by_http(findings: Findings, server: ServerProcess, bare: ServerProcess, repeats: int, calls: int) -> None:
    kinds: dict[str, tuple[Callable[[int], bytes], int]] = {
        "read": (lambda number: read(number % ITEMS), 200),
        "create": (lambda _: create(next_id()), 201),
        f"batch of {BATCH}": (lambda _: batch(), 200),
    }
    sides = {"server": server, "bare": bare}
    await send_all(server.port, [create(f"{number}") for number in range(ITEMS)], 201, 1)
    for one in sides.values():
        for request, status in kinds.values():
            await send_all(one.port, [request(number) for number in range(ITEMS)], status, 1)
    for kind, (request, status) in kinds.items():
        amount = calls // 2 if kind.startswith("batch") else calls
        meters = {name: CpuMeter({name: one.pid}) for name, one in sides.items()}
        rates: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(repeats):
            for name, one in sides.items():
                requests = [request(number) for number in range(amount)]
                meters[name].start()
                seconds, _ = await send_all(one.port, requests, status, AT_ONCE)
                meters[name].stop()
                rates[name].append(amount / seconds)
        shares = [one / other for one, other in zip(rates["server"], rates["bare"], strict=True)]
        findings.rows.append(
            {
                "from": "raw HTTP, 16 at once",
                "call": kind,
                "a second": median(rates["server"]),
                "beside it": median(rates["bare"]),
                "share": median(shares),
                "lowest": min(shares),
                "highest": max(shares),
                "target": f">= {LEAST_SHARE}",
                "CPU µs": meters["server"].ms_per(amount * repeats)["server"] * 1000,
                "CPU µs beside it": meters["bare"].ms_per(amount * repeats)["bare"] * 1000,
            }
        )
        if median(shares) < LEAST_SHARE:
            findings.missed.append(f"{kind} by raw HTTP: {median(shares):.2f} of bare, {LEAST_SHARE} is wanted")


async def _by_sdk(findings: Findings, server: ServerProcess, recorded: ServerProcess, repeats: int, calls: int) -> None:
    from azure.cosmos.aio import CosmosClient

    async with AsyncExitStack() as clients:
        sides: dict[str, ContainerProxy] = {}
        for name, one in (("server", server), ("recorded", recorded)):
            client = await clients.enter_async_context(CosmosClient(one.url, EMULATOR_KEY))
            sides[name] = client.get_database_client("portal").get_container_client("records")
        # After a first write the ranges are read once, on both sides and before the clock starts.
        for container in sides.values():
            for call in SDK_CALLS.values():
                for number in range(ITEMS):
                    await call(container, number)
        for kind, call in SDK_CALLS.items():
            medians: dict[str, list[float]] = {name: [] for name in sides}
            everything: dict[str, int] = dict.fromkeys(sides, 0)
            meters = {name: CpuMeter({name: one.pid}) for name, one in (("server", server), ("recorded", recorded))}
            for _ in range(repeats):
                for name, container in sides.items():
                    meters[name].start()
                    times = []
                    for number in range(calls):
                        began = time.perf_counter()
                        await call(container, number)
                        times.append(time.perf_counter() - began)
                    meters[name].stop()
                    everything[name] += calls
                    medians[name].append(median(times))
            ratios = [one / other for one, other in zip(medians["server"], medians["recorded"], strict=True)]
            findings.rows.append(
                {
                    "from": "aio SDK, one at a time",
                    "call": kind,
                    "a second": 1 / median(medians["server"]),
                    "beside it": 1 / median(medians["recorded"]),
                    "share": 1 / median(ratios),
                    "lowest": 1 / max(ratios),
                    "highest": 1 / min(ratios),
                    "target": f">= {1 / MOST_OVER_RECORDED:.2f}",
                    "CPU µs": meters["server"].ms_per(everything["server"])["server"] * 1000,
                    "CPU µs beside it": meters["recorded"].ms_per(everything["recorded"])["recorded"] * 1000,
                }
            )
            if median(ratios) > MOST_OVER_RECORDED:
                findings.missed.append(
                    f"{kind} by the SDK: {median(ratios):.2f} of the time of recorded answers,"
                    f" {MOST_OVER_RECORDED} is wanted"
                )


def next_id() -> str:
    """In the order of time, as the ids are that the app gives."""
    return f"{time.time_ns():026x}"


def item(name: str) -> dict[str, Any]:
    """About a kilobyte, of the shape of a stored resource."""
    text = json.dumps({"resourceType": "Observation", "status": "final", "note": [{"text": "as before. " * 50}]})
    search = {"code": ["http://loinc.org|8867-4", "|8867-4", "8867-4"], "status": ["final"]}
    header = {"kind": "current", "type": "Observation", "version": 1, "deleted": False}
    return {"id": f"Observation:{name}", "pk": "bench", **header, "s": search, "resource": text}


def read(number: int) -> bytes:
    """A point read."""
    link = f"{DOCS}/Observation:{number}"
    path = f"/{DOCS}/Observation%3A{number}/"
    return signed("GET", path, signed_as=("docs", link), headers=_KEY)


def create(name: str) -> bytes:
    """A create of one item."""
    return _post(json.dumps(item(name)).encode(), {})


def batch() -> bytes:
    """A batch that creates ten items."""
    operations = [{"operationType": "Create", "resourceBody": item(next_id())} for _ in range(BATCH)]
    return _post(json.dumps(operations).encode(), {"x-ms-cosmos-is-batch-request": "True"})


_KEY = {"x-ms-documentdb-partitionkey": '["bench"]'}


def _post(body: bytes, headers: dict[str, str]) -> bytes:
    link = DOCS.removesuffix("/docs")
    every = _KEY | {"content-type": "application/json"} | headers
    return signed("POST", f"/{DOCS}/", signed_as=("docs", link), headers=every, body=body)


async def _sdk_read(container: ContainerProxy, number: int) -> object:
    return await container.read_item(f"Observation:{number % ITEMS}", partition_key="bench")


async def _sdk_create(container: ContainerProxy, _: int) -> object:
    return await container.create_item(item(next_id()))


async def _sdk_batch(container: ContainerProxy, _: int) -> object:
    operations: list[Any] = [("create", (item(next_id()),)) for _ in range(BATCH)]
    return await container.execute_item_batch(operations, "bench")


SDK_CALLS: dict[str, Callable[[ContainerProxy, int], Awaitable[object]]] = {
    "read": _sdk_read,
    "create": _sdk_create,
    f"batch of {BATCH}": _sdk_batch,
}
