"""`dev.py test`: all tests, or those that are named."""

from __future__ import annotations

import argparse
import os
import sys

from local.commands.arguments import ROOT

HOST_CONTRACT = "tests/local/host/test_contract.py"


def run(given: argparse.Namespace) -> int:
    """Become pytest, whose exit code and handling of Ctrl-C are then this command's."""
    arguments: list[str] = list(given.rest)
    if given.host:
        arguments = [f"--host={given.host}", *(arguments or [HOST_CONTRACT])]
    os.chdir(ROOT)
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *arguments])
