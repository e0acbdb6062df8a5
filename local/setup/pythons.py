"""Finds a Python of the version that Azure runs, or fetches one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from local.setup.telling import SetupError, run_with_progress, say

WANTED = (3, 13)
UV_VERSION = "0.13.9"
WHERE = "Install Python 3.13 (https://www.python.org/downloads/) or uv (https://docs.astral.sh/uv/) and start again."


def find_python(tools: Path) -> str:
    """A Python 3.13: this one, on PATH, under pyenv, or through uv; `tools` is where uv is put if it is missing."""
    if sys.version_info[:2] == WANTED:
        return sys.executable
    for candidate in _candidates():
        if answers(candidate):
            return candidate
    say("No Python {}.{} on this machine; asking uv for one.".format(*WANTED))
    return _through_uv(tools)


def _candidates() -> list[str]:
    names = ["python{}.{}".format(*WANTED), "python3", "python"]
    found = [path for path in (shutil.which(name) for name in names) if path]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    versions = sorted((pyenv / "versions").glob("{}.{}*".format(*WANTED)), reverse=True)
    found += [str(version / "bin" / "python") for version in versions]
    return found


def answers(python: str) -> bool:
    """Whether `python` is there and is the wanted version; a shim of that name may well fail."""
    question = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
    try:
        asked = subprocess.run(
            [python, "-c", question],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0 and asked.stdout.decode().strip() == "{}.{}".format(*WANTED)


def _through_uv(tools: Path) -> str:
    uv = shutil.which("uv") or _own_uv(tools)
    wanted = "{}.{}".format(*WANTED)
    try:
        run_with_progress(f"Fetching Python {wanted}", [uv, "python", "install", wanted])
    except SetupError as error:
        raise SetupError(f"{error}\n{WHERE}") from None
    found = subprocess.run([uv, "python", "find", wanted], stdout=subprocess.PIPE, check=False)
    python = found.stdout.decode().strip()
    if found.returncode != 0 or not answers(python):
        raise SetupError(f"uv has installed Python {wanted} but does not find it. {WHERE}")
    return python


def _own_uv(tools: Path) -> str:
    """uv in an environment of its own: it is one wheel, and nothing else of the machine is touched."""
    home = tools / "uv"
    uv = home / "bin" / "uv"
    if uv.exists():
        return str(uv)
    try:
        run_with_progress("Making an environment for uv", [sys.executable, "-m", "venv", "--clear", str(home)])
        run_with_progress("Installing uv", [str(home / "bin" / "pip"), "install", f"uv=={UV_VERSION}"])
    except SetupError as error:
        raise SetupError(f"{error}\n{WHERE}") from None
    return str(uv)
