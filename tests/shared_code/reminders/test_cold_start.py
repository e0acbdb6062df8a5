"""What importing the timer functions must not cost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_importing_the_functions_imports_no_sdk_and_no_definitions():
    program = "import sys, functions.reminders; print(' '.join(sys.modules))"
    loaded = set(
        subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True, text=True
        ).stdout.split()
    )
    heavy = {"azure.cosmos", "azure.communication.email", "azure.identity", "azure.core", "aiohttp", "joserfc"}
    assert loaded & heavy == set()
