#!/usr/bin/env python3
"""What a newcomer types: run, test, serve, token, load, bench, check. Any Python from 3.8 on can start it.

It brings Python 3.13, the packages and Azurite into .venv and .local, then goes on as the Python of .venv.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

from local.commands.arguments import WITH_AZURITE, read_arguments
from local.setup.azurite import ensure_azurite
from local.setup.environment import ensure_environment
from local.setup.lock import one_at_a_time
from local.setup.telling import SetupError, say

ROOT = Path(__file__).resolve().parent


def main(arguments: list[str]) -> int:
    """Set up what the command needs, then run it in the environment's Python; the exit code."""
    given = read_arguments(arguments)
    if os.name != "posix":
        say("dev.py: runs on Linux and macOS; on Windows within WSL (https://learn.microsoft.com/windows/wsl/install)")
        return 1
    try:
        with one_at_a_time(ROOT / ".local"):
            python = ensure_environment(ROOT)
            if given.command in WITH_AZURITE:
                ensure_azurite(ROOT, ROOT / ".local" / "tools")
    except SetupError as error:
        say(f"dev.py: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    if Path(sys.prefix).resolve() != (ROOT / ".venv").resolve():
        # By exec, so that a signal to this process id reaches the command itself.
        os.execv(str(python), [str(python), str(ROOT / "dev.py"), *arguments])
    command = importlib.import_module(f"local.commands.{given.command}")
    return int(command.run(given))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
