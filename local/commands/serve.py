"""`dev.py serve`: the bare stack for another program."""

from __future__ import annotations

import argparse

from local.commands.sample import load_sample
from local.lifeline import end_with_parent
from local.stack.folder import StackFolder
from local.stack.session import run_stack
from local.stack.supervisor import Supervisor


def run(given: argparse.Namespace) -> int:
    """Serve until a signal; one line on standard output once requests are accepted."""
    if given.end_with_parent:
        end_with_parent()

    async def when_ready(supervisor: Supervisor) -> None:
        if not given.no_sample:
            await load_sample(supervisor)
        print(f"ready {supervisor.addresses.app}", flush=True)

    return run_stack(StackFolder(given.data.resolve()), given.port, when_ready)
