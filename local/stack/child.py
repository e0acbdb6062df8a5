"""One child process of the stack: started until it is ready, watched, started again when it dies, ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from asyncio.subprocess import Process
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

READY = "ready http"
READY_WITHIN_SECONDS = 60
LOG_TAIL_LINES = 15
LARGEST_LOG_BYTES = 5 * 1024 * 1024
STEADY_SECONDS = 30  # a child that has run for so long is started again at once
LONGEST_BACK_OFF_SECONDS = 10.0


class StartError(Exception):
    """A child did not come up; the text has the end of its log."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a child is started. It prints a line that begins with `ready http` once it accepts requests."""

    name: str
    command: list[str]
    environment: dict[str, str]
    folder: Path


@dataclass(slots=True)
class Child:
    """A child and what keeps it running. `changed` is called whenever it has another process id."""

    plan: Plan
    log: Path
    say: Callable[[str], None]
    changed: Callable[[], None]
    process: Process | None = None
    _ending: bool = False
    _watch: asyncio.Task[None] | None = field(default=None)

    @property
    def pid(self) -> int | None:
        """The process id, None while there is no process."""
        return self.process.pid if self.process and self.process.returncode is None else None

    async def start(self) -> None:
        """Start it, wait until it is ready, and watch it from then on."""
        await self._start_once()
        self._watch = asyncio.create_task(self._restart_when_it_dies(), name=f"watch {self.plan.name}")

    async def _start_once(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LARGEST_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".1.log"))
        with self.log.open("ab") as log:
            begin = log.tell()
            self.process = await asyncio.create_subprocess_exec(
                *self.plan.command,
                # Ours alone to hold: it ends with this process, and so does the child, see local/lifeline.py.
                stdin=asyncio.subprocess.PIPE,
                # To a file and not to a pipe of ours, which would break under the child's last words.
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                cwd=self.plan.folder,
                env=self.plan.environment,
                # Ctrl-C in the terminal is for the supervisor, which then ends the children in order.
                start_new_session=True,
            )
        self.changed()
        await self._ready(begin)

    async def _ready(self, begin: int) -> None:
        assert self.process is not None
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while not any(line.startswith(READY) for line in self._log_lines(begin)):
            if self.process.returncode is not None:
                raise StartError(f"{self.plan.name} ended with code {self.process.returncode}{self._tail(begin)}")
            if time.monotonic() > deadline:
                self._kill_process()
                raise StartError(f"{self.plan.name} was not ready within {READY_WITHIN_SECONDS} s{self._tail(begin)}")
            await asyncio.sleep(0.03)

    def _log_lines(self, begin: int) -> list[str]:
        with self.log.open("rb") as log:
            log.seek(begin)
            return log.read().decode("utf-8", "replace").splitlines()

    def _tail(self, begin: int) -> str:
        lines = self._log_lines(begin)[-LOG_TAIL_LINES:]
        return f"; the end of {self.log}:\n" + "\n".join(f"    {line}" for line in lines)

    async def _restart_when_it_dies(self) -> None:
        """What Azure does too: a server that dies comes back at the same address."""
        back_off = 0.0
        while True:
            started = time.monotonic()
            assert self.process is not None
            code = await self.process.wait()
            if self._ending:
                return
            back_off = 0.0 if time.monotonic() - started > STEADY_SECONDS else back_off
            self.say(f"{self.plan.name} died ({_how(code)}), starting it again")
            while not self._ending:
                await asyncio.sleep(back_off)
                back_off = min(max(0.2, back_off * 2), LONGEST_BACK_OFF_SECONDS)
                try:
                    await self._start_once()
                    break
                except StartError as error:
                    self.say(str(error))

    async def stop(self, grace_seconds: float) -> None:
        """Ask it to end, wait, and make it end if it does not; never started again."""
        self._ending = True
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), grace_seconds)
            self._kill_process()
            await self.process.wait()
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)

    def kill(self) -> None:
        """End it at once, with whatever processes it has started itself; never started again."""
        self._ending = True
        self._kill_process()

    def _kill_process(self) -> None:
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # it has ended, and nobody has taken notice yet
                os.killpg(self.process.pid, signal.SIGKILL)


def _how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
