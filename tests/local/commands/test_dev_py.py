"""dev.py as it is typed."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
COMMANDS = ("run", "serve", "token", "test", "load", "bench", "check")


def dev(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "dev.py"), *(str(one) for one in arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def claims_of(token: str) -> dict:
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))


def test_help_names_every_command():
    said = dev("--help").stdout
    assert all(f"\n    {command} " in said for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command):
    answer = dev(command, "--help")
    assert answer.returncode == 0
    assert f"usage: dev.py {command}" in answer.stdout


def test_an_unknown_command_or_argument_is_refused():
    assert dev("fly").returncode == 2
    assert "does not know --wings" in dev("run", "--wings").stderr


def test_a_token_stands_alone_on_standard_output_and_needs_no_stack(tmp_path):
    answer = dev("token", "--patient", "p1", "--data", tmp_path, "--ttl", 60, "--scope", "patient/*.rs")
    assert answer.stderr == ""
    claims = claims_of(answer.stdout.strip())
    assert (claims["patient"], claims["scope"], claims["exp"] - claims["iat"]) == ("p1", "patient/*.rs", 60)
    assert abs(claims["iat"] - time.time()) < 60


def test_tokens_of_one_folder_have_one_issuer(tmp_path):
    who = (("--patient", "p1"), ("--practitioner", "d1"), ("--system",))
    issuers = {claims_of(dev("token", *one, "--data", tmp_path).stdout)["iss"] for one in who}
    assert len(issuers) == 1


def test_a_token_is_for_one_alone():
    assert dev("token", "--patient", "p1", "--system").returncode == 2
    assert dev("token").returncode == 2


def test_loading_without_a_stack_says_how_to_start_one(tmp_path):
    answer = dev("load", ROOT / "host.json", "--data", tmp_path)
    assert answer.returncode == 1
    assert "start one with 'dev.py run'" in answer.stderr


def test_bench_lists_what_there_is_and_refuses_what_there_is_not():
    assert dev("bench").returncode == 0
    answer = dev("bench", "nothing-of-that-name")
    assert answer.returncode == 1
    assert "there is no nothing-of-that-name" in answer.stderr
