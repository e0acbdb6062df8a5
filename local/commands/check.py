"""`dev.py check`: everything that can be said of the code without running it."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys

from local.commands.arguments import ROOT

TEMPLATE = "infra/main.bicep"


def run(_: argparse.Namespace) -> int:
    """Run every check, also after a failure; 1 if any failed."""
    python = [sys.executable, "-m"]
    checks = {
        "format": [*python, "ruff", "format", "--check", "."],
        "lint": [*python, "ruff", "check", "."],
        "types": [*python, "mypy"],
        "types of dev.py": [*python, "mypy", "dev.py"],
        "definitions": [*python, "local.definitions", "--check"],
    }
    bicep = _bicep()
    if isinstance(bicep, list):
        checks["bicep"] = bicep
    outcomes = {name: _passes(name, command) for name, command in checks.items()}
    print()
    for name, passed in outcomes.items():
        print(f"{'ok    ' if passed else 'FAILED'} {name}")
    if isinstance(bicep, str):
        print(f"left out bicep: {bicep}")
    return 0 if all(outcomes.values()) else 1


def _passes(name: str, command: list[str]) -> bool:
    print(f"--- {name}", flush=True)
    return subprocess.call(command, cwd=ROOT) == 0


def _bicep() -> list[str] | str:
    """How to build the templates with the compiler that is on PATH, or why that cannot be."""
    if not (ROOT / TEMPLATE).exists():
        return f"there is no {TEMPLATE}"
    if bicep := shutil.which("bicep"):
        return [bicep, "build", "--stdout", TEMPLATE]
    if az := shutil.which("az"):
        return [az, "bicep", "build", "--stdout", "--file", TEMPLATE]
    return "neither bicep nor az is on PATH"
