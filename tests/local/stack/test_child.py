"""A child of the stack: awaited until ready, started again when it dies, ended in one way or the other."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from local.stack.child import Child, Plan, StartError

ROOT = Path(__file__).resolve().parents[3]
READY = "import signal, sys, time; print('ready http://x', flush=True)\n"
WAITS = READY + "while True: time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WAITS
FAILS = "import sys; print('no such thing', file=sys.stderr); sys.exit(3)"
READS = READY + "sys.stdin.read(); open(sys.argv[1], 'w').write('ended')"

PARENT = """
import asyncio, os, pathlib, sys
from local.stack.child import Child, Plan

async def main():
    folder = pathlib.Path(sys.argv[1])
    plan = Plan("tea", [sys.executable, "-c", *sys.argv[2:]], dict(os.environ), folder)
    await Child(plan, folder / "tea.log", print, lambda: None).start()
    print("started", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


class Told:
    """What a child says, and how often it had another process id."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.changed = asyncio.Event()

    def child(self, folder: Path, code: str, *arguments: str) -> Child:
        plan = Plan("tea", [sys.executable, "-c", code, *arguments], dict(os.environ), folder)
        return Child(plan, folder / "tea.log", self.said.append, self.changed.set)


@pytest.fixture
def told():
    return Told()


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - another process makes it true, which sets no event here
            await asyncio.sleep(0.01)


async def test_a_child_that_ends_before_it_is_ready_fails_with_the_end_of_its_log(told, tmp_path):
    with pytest.raises(StartError, match=r"tea ended with code 3; the end of .*tea\.log:\n +no such thing"):
        await told.child(tmp_path, FAILS).start()


async def test_a_child_that_dies_is_started_again(told, tmp_path):
    child = told.child(tmp_path, WAITS)
    await child.start()
    first = child.pid
    told.changed.clear()
    os.kill(first, signal.SIGKILL)
    async with asyncio.timeout(10):
        await told.changed.wait()
    assert child.pid not in {first, None}
    assert told.said == ["tea died (signal SIGKILL), starting it again"]
    await child.stop(5)


async def test_a_child_that_cannot_come_up_again_is_tried_until_it_does(told, tmp_path):
    switch = tmp_path / "broken"
    code = f"import os, sys; os.path.exists({str(switch)!r}) and sys.exit(4)\n" + WAITS
    child = told.child(tmp_path, code)
    await child.start()
    switch.touch()
    os.kill(child.pid, signal.SIGKILL)
    await until(lambda: any("ended with code 4" in text for text in told.said))
    switch.unlink()
    await until(lambda: child.pid is not None)
    await child.stop(5)


async def test_a_stopped_child_is_not_started_again(told, tmp_path):
    child = told.child(tmp_path, WAITS)
    await child.start()
    pid = child.pid
    await child.stop(5)
    assert child.pid is None
    assert not alive(pid)
    assert told.said == []


async def test_a_child_that_does_not_end_when_asked_is_made_to(told, tmp_path):
    child = told.child(tmp_path, STUBBORN)
    await child.start()
    pid = child.pid
    await child.stop(0.2)
    assert not alive(pid)


async def test_a_childs_standard_input_ends_with_its_parent(tmp_path):
    mark = tmp_path / "mark"
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PARENT,
        str(tmp_path),
        READS,
        str(mark),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert parent.stdout is not None
    assert await parent.stdout.readline() == b"started\n"
    parent.kill()
    await parent.wait()
    await until(mark.exists)
