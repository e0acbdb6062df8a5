"""`dev.py test`: all tests, or those that are named."""

from __future__ import annotations

import argparse
import subprocess
import sys

from local.commands.arguments import ROOT

HOST_CONTRACT = "tests/local/host/test_contract.py"


def run(given: argparse.Namespace) -> int:
    """pytest's exit code."""
    arguments: list[str] = list(given.rest)
    if given.host:
        arguments = [f"--host={given.host}", *(arguments or [HOST_CONTRACT])]
    return subprocess.call([sys.executable, "-m", "pytest", *arguments], cwd=ROOT)
