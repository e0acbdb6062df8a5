"""How the set-up speaks: on standard error, one line that is rewritten while something takes time."""

from __future__ import annotations

import os
import subprocess
import sys


class SetupError(Exception):
    """The set-up cannot go on; the text says what the person at the terminal can do."""


def say(text: str) -> None:
    """One line."""
    print(text, file=sys.stderr, flush=True)


def run_with_progress(title: str, command: list[str], counted: tuple[str, ...] = ()) -> None:
    """Run `command`, showing the last thing it said; raises SetupError with its output if it fails.

    counted  beginnings of the lines that are counted, e.g. ("Collecting",)
    """
    terminal = sys.stderr.isatty()
    said: list[str] = []
    count = 0
    if not terminal:
        say(title + " ...")
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=_environment()
        )
    except OSError as error:
        raise SetupError(f"{title}: cannot run {command[0]}: {error}") from None
    assert process.stdout is not None
    for raw in process.stdout:
        line = raw.decode("utf-8", "replace").strip()
        if not line:
            continue
        said.append(line)
        if line.startswith(counted or ("\0",)):
            count += 1
        if terminal:
            shown = "{}: {}{}".format(title, f"{count} - " if count else "", line)
            sys.stderr.write("\r\033[K" + shown[: _columns() - 1])
            sys.stderr.flush()
    if terminal:
        sys.stderr.write("\r\033[K")
    if process.wait() != 0:
        raise SetupError("{} failed ({}):\n{}".format(title, " ".join(command), "\n".join(said[-25:])))
    say(title + ": done")


def _environment() -> dict[str, str]:
    """A venv that is active in the shell must not decide where packages go."""
    return {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONHOME")}


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except OSError:
        return 80
