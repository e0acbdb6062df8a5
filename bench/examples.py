"""All official R4 examples, created over HTTP and read back: what comes back equal, and what is refused and why."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.measuring.report import Findings
from bench.measuring.round_trip import CHANGED, EQUAL, INVALID, OTHER, TOO_LARGE, Outcome, round_trip
from bench.measuring.stack import Bench, run, served
from local.definitions.sources import EXAMPLES, fetched
from local.loading.posting import FHIR_JSON

KNOWN = Path(__file__).parents[1] / "tests" / "shared_code" / "fhir" / "refused_examples.json"
NOT_EXAMPLES = frozenset({"package.json", ".index.json"})
SECONDS = 120


def main(arguments: Sequence[str] = ()) -> int:
    """Send, read back, print and write; 1 where anything is not as expected."""
    parser = argparse.ArgumentParser(prog="dev.py bench examples", description=__doc__)
    parser.add_argument("--concurrency", type=int, default=4, metavar="N", help="examples at a time (default: 4)")
    parser.add_argument("--only", default="", metavar="PREFIX", help="files whose name begins so")
    given = parser.parse_args(arguments)
    paths = [
        path
        for path in sorted(fetched(EXAMPLES).glob("*.json"))
        if path.name not in NOT_EXAMPLES and path.name.startswith(given.only)
    ]
    return report(*run(lambda: all_of(paths, given.concurrency)))


def report(outcomes: Sequence[Outcome], seconds: float) -> int:
    """The table and every example that is not there as it was sent; the exit code."""
    findings = Findings("examples", "Official R4 examples over HTTP", ("outcome", "examples", "of types"))
    counts = Counter(one.kind for one in outcomes)
    for kind in (EQUAL, CHANGED, INVALID, TOO_LARGE, OTHER):
        findings.rows.append(
            {
                "outcome": kind,
                "examples": counts[kind],
                "of types": len({one.type for one in outcomes if one.kind == kind}),
            }
        )
    findings.rows.append({"outcome": "all", "examples": len(outcomes), "of types": len({one.type for one in outcomes})})
    known: dict[str, dict[str, str]] = json.loads(KNOWN.read_text(encoding="utf-8"))
    for kind in (CHANGED, INVALID, TOO_LARGE, OTHER):
        for one in (one for one in outcomes if one.kind == kind):
            print(f"{kind}: {one.file}: {one.reason}")
            if kind == INVALID:
                print(f"    {known.get(one.file, {}).get('reason', 'NOT KNOWN to be wrong')}")
    findings.facts |= {
        "seconds": round(seconds, 1),
        "examples/s, created and read": len(outcomes) / seconds,
        "refused": [[one.file, one.kind, one.reason] for one in outcomes if one.kind != EQUAL],
    }
    surprises = [one.file for one in outcomes if one.kind == INVALID and one.file not in known]
    findings.missed += [f"{counts[kind]} {kind}" for kind in (CHANGED, OTHER) if counts[kind]]
    findings.missed += [f"refused, though not known to be wrong: {', '.join(surprises)}"] if surprises else []
    return findings.publish()


async def all_of(paths: Sequence[Path], concurrency: int) -> tuple[list[Outcome], float]:
    """What became of each example, in their order, and the seconds that all of it took."""
    columns = (TextColumn("examples"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    outcomes: dict[str, Outcome] = {}
    async with served() as bench, _client(bench) as client:
        with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
            task = bar.add_task("examples", total=len(paths))
            waiting = iter(paths)
            began = time.perf_counter()

            async def lane(rest: Iterator[Path]) -> None:
                for path in rest:
                    outcomes[path.name] = await round_trip(client, path.name, path.read_bytes())
                    bar.advance(task)

            await asyncio.gather(*(lane(waiting) for _ in range(concurrency)))
            seconds = time.perf_counter() - began
    return [outcomes[path.name] for path in paths], seconds


def _client(bench: Bench) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {bench.stack.token(system=True)}", "Content-Type": FHIR_JSON}
    return httpx.AsyncClient(base_url=f"{bench.stack.url}/api/fhir/", headers=headers, timeout=SECONDS, trust_env=False)
