"""`dev.py run` as a newcomer meets it: what it prints works when pasted, Ctrl-C ends it, and nothing is lost."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local.samples.people import PEOPLE
from local.services.kept_secrets import signing_key
from local.stack.ports import command_of, free_ports

ROOT = Path(__file__).resolve().parents[3]


class Run:
    """One run on a folder; what it printed until it was ready."""

    def __init__(self, data: Path, port: int, *arguments: str) -> None:
        command = [sys.executable, str(ROOT / "dev.py"), "run", "--port", str(port), "--data", str(data), *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.data = data
        self.printed = ""
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            self.printed += line
            if line.startswith("ready "):
                break

    def curls(self) -> list[str]:
        return [line.strip() for line in self.printed.splitlines() if line.startswith("  curl ")]

    def answers(self) -> dict[str, tuple[int, dict]]:
        """Each line, pasted into a shell: its status and JSON."""
        answers = {}
        for line in self.curls():
            pasted = subprocess.run(
                ["bash", "-c", f"{line} -w '\\n%{{http_code}}'"], capture_output=True, text=True, check=True, timeout=60
            )
            body, _, status = pasted.stdout.rpartition("\n")
            answers[line] = (int(status), json.loads(body))
        return answers

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        pids = json.loads((self.data / "services.json").read_text())["pids"]
        self.process.send_signal(number)
        code = self.process.wait(60)
        deadline = time.monotonic() + 20
        while any(str(self.data) in command_of(pid) for pid in pids.values()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return code

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def run(tmp_path):
    """Starts `dev.py run` on a folder of the test's own."""
    (port,) = free_ports(1)
    runs: list[Run] = []

    def start(*arguments: str) -> Run:
        runs.append(Run(tmp_path, port, *arguments))
        assert "ready " in runs[-1].printed, runs[-1].process.communicate()[1]
        return runs[-1]

    yield start
    for one in runs:
        one.close()


def test_what_run_prints_works_and_a_second_run_has_kept_it(run):
    first = run()
    assert all(f"  {person.id} (" in first.printed for person in PEOPLE)
    before = first.answers()
    assert len(before) >= 6
    assert {line: status for line, (status, _) in before.items()} == dict.fromkeys(before, 200)
    assert first.end() == 0

    began = time.monotonic()
    second = run()
    assert time.monotonic() - began < 10
    after = second.answers()
    ours = f"/Patient/{PEOPLE[0].id}"
    (line,) = [line for line in after if line.endswith(ours)]
    assert after[line] == before[line]
    assert after[line][1]["meta"]["versionId"] == "1"
    second.end(signal.SIGTERM)


def test_a_fresh_run_forgets_everything(run, tmp_path):
    former = signing_key(tmp_path / "services").kid
    (tmp_path / "cosmos").mkdir()
    (tmp_path / "cosmos" / "former").touch()
    fresh = run("--fresh")
    assert not (tmp_path / "cosmos" / "former").exists()
    assert signing_key(tmp_path / "services").kid != former
    fresh.end()
