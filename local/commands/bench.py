"""`dev.py bench`: one of the benchmarks in bench/."""

from __future__ import annotations

import argparse
import ast
import importlib
import sys
from pathlib import Path

from local.commands.arguments import ROOT

BENCHMARKS = ROOT / "bench"


def run(given: argparse.Namespace) -> int:
    """Run `bench/NAME.py`, or list what there is."""
    found = {path.stem: path for path in sorted(BENCHMARKS.glob("*.py")) if not path.stem.startswith("_")}
    if given.name is None:
        for name, path in found.items():
            print(f"{name:<16} {_about(path)}")
        return 0
    if given.name not in found:
        print(f"dev.py bench: there is no {given.name}; there are {', '.join(found) or 'none'}", file=sys.stderr)
        return 1
    module = importlib.import_module(f"bench.{given.name}")
    return int(module.main(given.rest) or 0)


def _about(path: Path) -> str:
    """The first line of the module's docstring, without running it."""
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]
