"""Loads a folder of bundles, such as Synthea makes, over HTTP; what is stored by type is compared with the files."""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import httpx

from bench.measuring.processes import cpu_seconds, resident_mb
from bench.measuring.report import Findings
from bench.measuring.stack import run, served
from local.commands.load import load_and_show
from local.loading.loader import MOST_BYTES_BY_POST, Target
from local.loading.report import Failure
from local.loading.sources import Source, sources_of

SHOWN_FAILURES = 20


def main(arguments: Sequence[str] = ()) -> int:
    """Load, count back, print and write; 1 where anything failed or a count differs."""
    parser = argparse.ArgumentParser(prog="dev.py bench synthea_load", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="bundles, as .json or .json.gz; care givers go first")
    parser.add_argument("--concurrency", type=int, default=4, metavar="N", help="files at a time (default: 4)")
    given = parser.parse_args(arguments)
    return run(lambda: measure(given.folder, given.concurrency)).publish()


async def measure(folder: Path, concurrency: int) -> Findings:
    """Load everything into a stack of its own, then ask it what it has."""
    sources = sources_of([folder])
    expected = counted(sources)
    findings = Findings("synthea_load", f"{len(sources)} bundles", ("type", "in the files", "stored", "equal"))
    async with served() as bench:
        services = bench.stack.services
        target = Target(bench.stack.url, bench.stack.token(system=True), services["azurite"]["connectionString"])
        began = time.perf_counter()
        report = await load_and_show(sources, target, concurrency, "Loading")
        seconds = time.perf_counter() - began
        await bench.promoted()
        promoted = time.perf_counter() - began
        stored = await count_back(target, sorted(expected))
        findings.facts |= {
            "resources": stored.total(),
            "files at a time": concurrency,
            "seconds until answered": seconds,
            "seconds until promoted": promoted,
            "resources/s": stored.total() / seconds,
        }
        for name, pid in bench.pids.items():
            findings.facts[f"{name}, CPU ms per resource"] = 1000 * (cpu_seconds(pid) or 0) / max(stored.total(), 1)
            findings.facts[f"{name}, MB afterwards"] = resident_mb(pid) or 0
    for resource_type, count in sorted(expected.items()):
        equal = "yes" if stored[resource_type] == count else "NO"
        findings.rows.append(
            {"type": resource_type, "in the files": count, "stored": stored[resource_type], "equal": equal}
        )
    findings.rows.append({"type": "all", "in the files": expected.total(), "stored": stored.total()})
    findings.missed += [f"{row['type']} differs" for row in findings.rows if row.get("equal") == "NO"]
    findings.missed += map(_told, report.failures[:SHOWN_FAILURES])
    if len(report.failures) > SHOWN_FAILURES:
        findings.missed.append(f"and {len(report.failures) - SHOWN_FAILURES} more failures")
    return findings


def counted(sources: Sequence[Source]) -> Counter[str]:
    """Resources by type, by the files alone: what several files make under the same condition or id is one."""
    named: set[tuple[str, str]] = set()
    counts: Counter[str] = Counter()
    for source in sources:
        for entry in json.loads(source.text(MOST_BYTES_BY_POST) or b"{}").get("entry", []):
            resource_type, request = entry["resource"]["resourceType"], entry["request"]
            name = request.get("ifNoneExist") or (request["url"] if request["method"] == "PUT" else None)
            if name is None:
                counts[resource_type] += 1
            elif (resource_type, name) not in named:
                named.add((resource_type, name))
                counts[resource_type] += 1
    return counts


async def count_back(target: Target, resource_types: Sequence[str]) -> Counter[str]:
    """What the app says that it has, by type."""
    headers = {"Authorization": f"Bearer {target.token}"}
    counts: Counter[str] = Counter()
    async with httpx.AsyncClient(headers=headers, timeout=60, trust_env=False) as client:
        for resource_type in resource_types:
            answer = await client.get(f"{target.url}/api/fhir/{resource_type}?_summary=count")
            counts[resource_type] = answer.raise_for_status().json()["total"]
    return counts


def _told(failure: Failure) -> str:
    return f"{failure.file}: {failure.where or 'the file'}: {failure.text}"
