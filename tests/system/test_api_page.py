"""docs/api.md is true: each of its commands is typed as it stands, and answers what the page shows."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.stack.served import ServedStack

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = re.compile(r"```sh\n(curl .*?)```\n\n```http\n(.*?)```", re.DOTALL)
EXAMPLES = EXAMPLE.findall((ROOT / "docs" / "api.md").read_text(encoding="utf-8"))


def typed(command: str, stack: ServedStack) -> tuple[str, dict[str, str], str]:
    """The status line, headers and body that a command prints."""
    environment = os.environ | {
        "API": f"{stack.url}/api",
        "SYSTEM": stack.token(system=True),
        "ANNA": stack.token(patient="anna"),
    }
    answer = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True, check=True)
    head, _, body = answer.stdout.replace("\r\n", "\n").partition("\n\n")
    status, *lines = head.split("\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return status, headers, body


def as_shown(shown: str, found: str) -> bool:
    """Whether `found` is what the page shows, with anything for each of its dots."""
    return re.fullmatch(".*".join(map(re.escape, shown.split("…"))), found, re.DOTALL) is not None


def test_every_command_of_the_page_answers_what_the_page_shows(stack: ServedStack) -> None:
    assert len(EXAMPLES) > 10
    for command, shown in EXAMPLES:
        head, _, body = shown.rstrip("\n").partition("\n\n")
        status_line, *lines = head.split("\n")
        status, headers, found = typed(command, stack)
        assert status.strip() == status_line, f"{command}\n{status}\n{found}"
        for line in lines:
            name, _, value = line.partition(": ")
            assert as_shown(value, headers[name.lower()]), f"{command}\n{line}"
        assert as_shown(body, found), f"{command}\n{found}"


def test_every_example_of_the_page_is_tried() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert page.count("curl -si") == len(EXAMPLES)
