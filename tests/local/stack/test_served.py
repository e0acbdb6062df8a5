"""The whole stack as another program serves it: ready means ready, and a death of any part loses and leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from local.stack.ports import command_of, free_ports
from local.stack.served import ServedStack

ROOT = Path(__file__).resolve().parents[3]
PARTS = ("azurite", "cosmos", "services", "functions")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A stack of this module's own, since its parts are killed."""
    with ServedStack(tmp_path_factory.mktemp("served")) as served:
        yield served


def health(stack) -> int:
    return httpx.get(f"{stack.url}/api/health/ready", timeout=10, trust_env=False).status_code


def serve_once(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "dev.py"), "serve", "--no-sample", *(str(one) for one in arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def wait_until_gone(pids: dict[str, int], folder: Path) -> None:
    deadline = time.monotonic() + 20
    while left := [name for name, pid in pids.items() if str(folder) in command_of(pid)]:
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.05)


def test_a_stack_that_says_ready_is_ready(served):
    assert health(served) == 200


def test_services_json_names_every_part_with_its_process(served):
    pids = served.services["pids"]
    assert set(pids) == {"supervisor", *PARTS}
    assert all(str(served.folder.root) in command_of(pid) for pid in pids.values())


def test_a_second_stack_on_the_folder_is_refused_with_the_process_of_the_first(served):
    answer = serve_once("--port", free_ports(1)[0], "--data", served.folder.root)
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert f"in use by the stack of process {served.services['pids']['supervisor']}" in answer.stderr


def test_a_taken_port_is_refused_with_the_name_of_its_holder(served, tmp_path):
    answer = serve_once("--port", served.port, "--data", tmp_path)
    assert answer.returncode == 1
    assert f"is taken by process {served.services['pids']['functions']} (" in answer.stderr
    assert "local.host" in answer.stderr


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_killed_comes_back_at_its_address(served, part):
    before = {name: value for name, value in served.services.items() if name != "pids"}
    served.kill_and_wait(part)
    assert {name: value for name, value in served.services.items() if name != "pids"} == before
    assert health(served) == 200


def test_a_killed_supervisor_takes_every_part_with_it_and_the_folder_serves_again(served):
    issuer, token = served.folder.issuer(), served.token(system=True)
    pids = served.services["pids"]
    served.kill_supervisor()
    wait_until_gone(pids, served.folder.root)
    began = time.monotonic()
    served.start()
    assert time.monotonic() - began < 10
    assert served.folder.issuer() == issuer
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.get(f"{served.url}/api/fhir/Patient", headers=headers, timeout=10, trust_env=False)
    assert answer.status_code == 200


def test_a_start_right_after_a_kill_waits_for_what_is_left(served):
    served.kill_supervisor()
    served.start()
    assert health(served) == 200


def test_everything_killed_at_once_serves_again(served):
    served.kill_everything()
    served.start()
    assert health(served) == 200


def test_an_end_leaves_no_process(served):
    pids = served.services["pids"]
    served.stop()
    wait_until_gone(pids, served.folder.root)
    assert not any(os.path.exists(f"/proc/{pid}/cwd") for pid in pids.values())
    served.start()


def test_a_second_interrupt_ends_everything_at_once(served):
    pids = served.services["pids"]
    os.kill(pids["supervisor"], signal.SIGINT)
    os.kill(pids["supervisor"], signal.SIGTERM)
    served.stop()
    wait_until_gone(pids, served.folder.root)
