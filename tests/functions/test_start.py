"""Importing the app is quick: no SDK, no definitions, no file and no connection before the first request wants them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Imported inside their factories, when the first request needs them.
LATER = (
    "aiohttp",
    "azure.communication",
    "azure.core",
    "azure.cosmos",
    "azure.identity",
    "azure.storage",
    "cryptography",
    "joserfc",
    "jsonschema_rs",
    "requests",
    "rich",
    "httpx",
    "local",
    "tests",
)
SCRIPT = """
import json, sys
events = []
def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        name = arguments[0] if isinstance(arguments[0], str) else arguments[0].decode()
        if not name.endswith((".py", ".pyc")) and "__pycache__" not in name:
            events.append(f"open {name}")
    elif event.startswith(("socket.", "subprocess.", "os.system", "urllib.")) and event != "socket.gethostname":
        events.append(event)
import azure.functions
sys.addaudithook(watch)
import function_app
count = len(function_app.app.get_functions())
print(json.dumps({"modules": sorted(sys.modules), "events": events, "functions": count}))
"""


@pytest.fixture(scope="module")
def imported() -> dict[str, object]:
    """What a fresh process has after importing the app, without a single app setting."""
    environment = {"PATH": "/usr/bin:/bin"}
    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    found: dict[str, object] = json.loads(answer.stdout)
    return found


@pytest.mark.parametrize("name", LATER)
def test_what_is_slow_to_import_is_not_imported_yet(imported: dict[str, object], name: str) -> None:
    modules = imported["modules"]
    assert isinstance(modules, list)
    assert not [module for module in modules if module == name or module.startswith(f"{name}.")]


def test_an_import_opens_no_file_and_no_connection(imported: dict[str, object]) -> None:
    assert imported["events"] == []


def test_every_capability_is_registered(imported: dict[str, object]) -> None:
    assert imported["functions"] == len(
        [
            line
            for path in (ROOT / "functions").glob("*.py")
            for line in path.read_text(encoding="utf-8").splitlines()
            if line.startswith(("@blueprint.route(", "@blueprint.timer_trigger(", "@blueprint.queue_trigger("))
        ]
    )
