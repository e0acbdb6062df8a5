"""The lines of the log."""

from __future__ import annotations

import ast
import json
import logging
from pathlib import Path

import pytest

from shared_code.events import Outcome, log_event

ROOT = Path(__file__).resolve().parents[2]
APP = [ROOT / "function_app.py", *(ROOT / "functions").rglob("*.py"), *(ROOT / "shared_code").rglob("*.py")]


@pytest.mark.parametrize(
    ("outcome", "level"),
    [
        ("success", logging.INFO),
        ("refused", logging.INFO),
        ("delayed", logging.WARNING),
        ("failure", logging.ERROR),
    ],
)
def test_a_line_is_one_json_object_of_the_level_of_its_outcome(
    outcome: Outcome, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        log_event("read", outcome, type="Patient", ms=1.5, reason="line\nend")
    (record,) = caplog.records
    assert record.levelno == level
    assert "\n" not in record.getMessage()
    assert json.loads(record.getMessage()) == {
        "operation": "read",
        "outcome": outcome,
        "type": "Patient",
        "ms": 1.5,
        "reason": "line\nend",
    }


def test_a_line_below_the_level_that_is_set_is_not_written(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        log_event("read", "success")
    assert caplog.records == []


def test_a_failure_can_bring_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise KeyError("x")
    except KeyError:
        log_event("read", "failure", with_traceback=True)
    assert "Traceback" in caplog.text


@pytest.mark.parametrize("path", APP, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_written_to_the_log_in_another_way(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert ("logging" in imported) == (path.name == "events.py")
    assert "print" not in called
