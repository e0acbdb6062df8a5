"""The folder of a stack: what it keeps, and that one stack alone can hold it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.stack.folder import FolderInUseError, StackFolder

ROOT = Path(__file__).resolve().parents[3]
HOLD = """
import pathlib, sys
from local.stack.folder import StackFolder

with StackFolder(pathlib.Path(sys.argv[1])).locked():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_ports_and_keys_are_chosen_once(tmp_path):
    first, again = StackFolder(tmp_path), StackFolder(tmp_path)
    assert first.ports() == again.ports()
    assert first.master_key() == again.master_key()
    assert first.issuer() == f"http://127.0.0.1:{first.ports().services}/identity"


def test_a_folder_that_is_in_use_names_the_process_that_uses_it(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(FolderInUseError, match=str(other.pid)), StackFolder(tmp_path).locked():
            pytest.fail("two hold the folder")
        other.kill()
        other.wait()
        with StackFolder(tmp_path).locked():
            assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_forgetting_leaves_nothing_but_the_lock(tmp_path):
    folder = StackFolder(tmp_path)
    with folder.locked():
        folder.ports()
        folder.logs.mkdir()
        (folder.logs / "functions.log").write_text("x")
        folder.forget()
        assert [path.name for path in tmp_path.iterdir()] == ["lock"]
