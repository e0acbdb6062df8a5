"""What dev.py finds and fetches before Python 3.13 is at hand."""

from __future__ import annotations

import ast
import json
import os
import sys
from pathlib import Path

import pytest

from local.setup.azurite import ensure_azurite, installed_version, require_node
from local.setup.environment import ensure_environment
from local.setup.pythons import answers, find_python
from local.setup.telling import SetupError, run_with_progress

ROOT = Path(__file__).resolve().parents[3]
READ_BY_AN_OLD_PYTHON = [
    ROOT / "dev.py",
    ROOT / "local" / "__init__.py",
    ROOT / "local" / "commands" / "__init__.py",
    ROOT / "local" / "commands" / "arguments.py",
    *(ROOT / "local" / "setup").glob("*.py"),
]


def program(folder: Path, name: str, script: str) -> Path:
    """A shell script on PATH."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("path", READ_BY_AN_OLD_PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_runs_before_the_set_up_is_python_3_8_with_the_standard_library_alone(path):
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= {*sys.stdlib_module_names, "local"}


def test_a_shim_that_fails_is_not_taken_for_a_python(tmp_path):
    assert not answers(
        str(program(tmp_path, "python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127"))
    )


def test_a_python_of_another_version_is_not_taken(tmp_path):
    assert not answers(str(program(tmp_path, "python3.13", "echo 3.12")))


def test_this_python_is_taken_first(tmp_path):
    assert find_python(tmp_path) == sys.executable


def test_without_node_the_version_and_its_source_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match=r"Node\.js 20\.6 or later .* none is on PATH.*https://nodejs\.org"):
        require_node()


def test_an_old_node_is_named_with_its_version(tmp_path, monkeypatch):
    program(tmp_path, "node", "echo v14.21.3")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(SetupError, match=r"Node\.js 20\.6 or later is needed.* is v14\.21\.3"):
        require_node()


def test_azurite_that_is_installed_in_the_pinned_version_is_left_alone(tmp_path, monkeypatch):
    program(tmp_path, "node", "echo v20.0.0")
    monkeypatch.setenv("PATH", str(tmp_path))
    tools = ROOT / ".local" / "tools"
    pinned = json.loads((ROOT / "local" / "azurite" / "package.json").read_text())["dependencies"]["azurite"]
    assert installed_version(tools) == pinned
    ensure_azurite(ROOT, tools)  # would need npm if it had anything to do


def test_an_installation_that_npm_did_not_finish_does_not_count(tmp_path):
    package = tmp_path / "node_modules" / "azurite" / "package.json"
    package.parent.mkdir(parents=True)
    package.write_text('{"version": "3.35.0"}')
    assert installed_version(tmp_path) is None


def test_an_up_to_date_environment_is_left_alone(monkeypatch, capfd):
    python = ensure_environment(ROOT)
    assert python == ROOT / ".venv" / "bin" / "python"
    monkeypatch.setenv("PATH", "")
    assert ensure_environment(ROOT) == python
    assert capfd.readouterr().err == ""


def test_a_failed_step_shows_its_command_and_what_it_said():
    with pytest.raises(SetupError, match=r"(?s)Making tea failed \(sh -c .*\):\nno kettle"):
        run_with_progress("Making tea", ["sh", "-c", "echo no kettle; exit 1"])
