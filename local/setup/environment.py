"""The virtual environment of the project: made once, brought up to date when the requirements change."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from local.setup.pythons import WANTED, answers, find_python
from local.setup.telling import SetupError, run_with_progress

REQUIREMENTS = ("requirements.txt", "requirements-dev.txt")


def environment_python(root: Path) -> Path:
    """Where the Python of the project's environment is."""
    return root / ".venv" / "bin" / "python"


def ensure_environment(root: Path) -> Path:
    """The environment's Python, with all requirements installed."""
    python = environment_python(root)
    stamp = root / ".venv" / "requirements.sha256"
    wanted = _digest(root)
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    if not (python.exists() and answers(str(python))):
        _make(root)
    run_with_progress(
        "Installing packages",
        [str(python), "-m", "pip", "install", "--disable-pip-version-check", "-r", str(root / REQUIREMENTS[-1])],
        counted=("Collecting",),
    )
    stamp.write_text(wanted)
    return python


def _make(root: Path) -> None:
    base = find_python(root / ".local" / "tools")
    venv = root / ".venv"
    if venv.exists():
        shutil.rmtree(str(venv))
    try:
        run_with_progress(f"Making .venv with {base}", [base, "-m", "venv", str(venv)])
    except SetupError as error:
        hint = "On Debian and Ubuntu the package python{}.{}-venv is needed.".format(*WANTED)
        raise SetupError(f"{error}\n{hint}") from None


def _digest(root: Path) -> str:
    digest = hashlib.sha256()
    for name in REQUIREMENTS:
        digest.update((root / name).read_bytes())
    return digest.hexdigest()
