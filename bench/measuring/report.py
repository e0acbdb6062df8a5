"""How a benchmark says what it found: a table for people, and JSON in .local/bench with when and where."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / ".local" / "bench"


@dataclass(slots=True)
class Findings:
    """Rows of what was measured.

    columns  names, in order; a row may lack some of them
    facts    what belongs to the run as a whole
    missed   the targets that were not met, one sentence each
    """

    benchmark: str
    title: str
    columns: Sequence[str]
    rows: list[Mapping[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)

    def publish(self) -> int:
        """Print the table and write the JSON; 1 where a target was missed, as the exit code."""
        table = Table(title=self.title)
        for column in self.columns:
            table.add_column(column, justify="left" if column == self.columns[0] else "right")
        for row in self.rows:
            table.add_row(*(_shown(row.get(column)) for column in self.columns))
        console = Console(width=None if os.isatty(1) else 150)
        console.print(table)
        for name, value in self.facts.items():
            if isinstance(value, str | int | float):
                console.print(f"{name}: {_shown(value)}", highlight=False)
        for sentence in self.missed:
            console.print(f"[red]missed[/red] {sentence}", highlight=False)
        console.print(f"{self.write()}", highlight=False, soft_wrap=True)
        return 1 if self.missed else 0

    def write(self) -> Path:
        """Write the JSON; gives its path."""
        RESULTS.mkdir(parents=True, exist_ok=True)
        path = RESULTS / f"{self.benchmark}.json"
        content = {
            "benchmark": self.benchmark,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": _commit(),
            "machine": machine(),
            "rows": self.rows,
            "facts": self.facts,
            "missed": self.missed,
        }
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return path


def machine() -> dict[str, Any]:
    """What it ran on, and how busy that was just then."""
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": [round(one, 2) for one in os.getloadavg()],
        "python": platform.python_version(),
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _commit() -> str:
    given = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return given.stdout.strip()


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
