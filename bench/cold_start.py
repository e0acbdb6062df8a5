"""How long a worker needs from nothing: the import of function_app, its memory, and the first answered read."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import httpx

from bench.measuring.processes import resident_mb
from bench.measuring.report import RESULTS, ROOT, Findings
from local.stack.ports import free_ports
from local.stack.served import ServedStack

# What an app of this kind cannot do without; the measure of everything that it imports beyond.
BARE, APP = "import azure.functions, msgspec", "import function_app"
MOST_RATIO, MOST_MB = 1.6, 120.0
COMPILED = RESULTS / "pycache"
FIRST_READ_WITHIN_SECONDS = 60
PATIENT = {"resourceType": "Patient", "id": "bench-person", "name": [{"family": "Testerfield"}]}

# In the new process: imports alone, without the interpreter's own start. The memory is that of the process as a whole.
TIMED = """
import sys, time
began = time.perf_counter()
{statement}
seconds = time.perf_counter() - began
from bench.measuring.processes import resident_mb
import json, os
print(json.dumps([seconds, resident_mb(os.getpid()), len(sys.modules)]))
"""


def main(arguments: Sequence[str] = ()) -> int:
    """Measure, print and write; 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="dev.py bench cold_start", description=__doc__)
    parser.add_argument("--processes", type=int, default=7, metavar="N", help="fresh processes of each (default: 7)")
    given = parser.parse_args(arguments)
    findings = Findings("cold_start", "From nothing", ("what", "median", "lowest", "highest", "unit", "target"))
    _imports(findings, given.processes)
    _first_reads(findings, given.processes)
    return findings.publish()


def _imports(findings: Findings, processes: int) -> None:
    timed: dict[str, list[tuple[float, float | None, int]]] = {BARE: [], APP: []}
    for statement in timed:
        _imported(statement)  # compiles everything
    for _ in range(processes):
        for statement, results in timed.items():
            results.append(_imported(statement))
    bare, app = timed[BARE], timed[APP]
    findings.rows.append(_row(BARE, [one[0] * 1000 for one in bare], "ms"))
    findings.rows.append(_row(APP, [one[0] * 1000 for one in app], "ms"))
    ratios = [own[0] / least[0] for own, least in zip(app, bare, strict=True)]
    findings.rows.append(_row("ratio of the two", ratios, "", f"≤ {MOST_RATIO}"))
    megabytes = [one[1] for one in app if one[1] is not None]
    if megabytes:
        findings.rows.append(_row(f"memory after {APP}", megabytes, "MB", f"≤ {MOST_MB:.0f}"))
        if median(megabytes) > MOST_MB:
            findings.missed.append(f"memory: {median(megabytes):.0f} MB where {MOST_MB:.0f} are wanted")
    if median(ratios) > MOST_RATIO:
        findings.missed.append(f"import: {median(ratios):.2f} where {MOST_RATIO} is wanted")
    findings.facts |= {f"modules after {BARE}": bare[0][2], f"modules after {APP}": app[0][2]}


def _imported(statement: str) -> tuple[float, float | None, int]:
    """Seconds, MB and modules of a fresh process that runs `statement`."""
    command = [sys.executable, "-c", TIMED.format(statement=statement)]
    given = subprocess.run(command, cwd=ROOT, env=_environment(), check=True, capture_output=True, text=True)
    seconds, megabytes, modules = json.loads(given.stdout.splitlines()[-1])
    return seconds, megabytes, modules


def _environment() -> dict[str, str]:
    """This process's, but bytecode is kept: whether that is so would otherwise decide the ratio."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(COMPILED)}


def _first_reads(findings: Findings, processes: int) -> None:
    """A host of its own each time, beside a stack that is running already: only the functions are cold."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder,
        ServedStack(Path(folder)) as stack,
        httpx.Client(timeout=10, trust_env=False) as client,
    ):
        client.headers["Authorization"] = f"Bearer {stack.token(system=True)}"
        address = f"/api/fhir/Patient/{PATIENT['id']}"
        client.put(f"{stack.url}{address}", json=PATIENT).raise_for_status()
        cold = [_first_read(stack, client, address) for _ in range(processes)]
    findings.rows.append(_row("process start to first answered read", [one[0] * 1000 for one in cold], "ms"))
    findings.rows.append(_row("the same read again", [one[1] * 1000 for one in cold], "ms"))
    megabytes = [one[2] for one in cold if one[2] is not None]
    if megabytes:
        findings.rows.append(_row("memory of the host after it", megabytes, "MB"))


def _first_read(stack: ServedStack, client: httpx.Client, address: str) -> tuple[float, float, float | None]:
    """Seconds to the first answer and of a second read, and the host's MB after both."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "local.host", "--app", str(ROOT), "--port", str(port)]
    command += ["--settings", str(stack.folder.app_settings), "--end-with-parent"]
    with (stack.folder.logs / "cold.log").open("ab") as log:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, env=_environment(), stdin=subprocess.PIPE, stdout=log, stderr=log)
    try:
        while not _answers(client, f"http://127.0.0.1:{port}{address}"):
            if process.poll() is not None or time.perf_counter() - began > FIRST_READ_WITHIN_SECONDS:
                raise RuntimeError(f"the host does not answer, see {log.name}")
            time.sleep(0.005)
        first = time.perf_counter()
        if not _answers(client, f"http://127.0.0.1:{port}{address}"):
            raise RuntimeError("the host answered a first read and not a second one")
        return first - began, time.perf_counter() - first, resident_mb(process.pid)
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def _answers(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(url).status_code == 200
    except httpx.TransportError:
        return False


def _row(what: str, values: Sequence[float], unit: str, target: str = "") -> dict[str, object]:
    return {
        "what": what,
        "median": median(values),
        "lowest": min(values),
        "highest": max(values),
        "unit": unit,
        "target": target,
    }
