"""What processes use: processor time and memory, as Linux tells under /proc; None where there is no such thing."""

from __future__ import annotations

from pathlib import Path

PROC = Path("/proc")


def cpu_seconds(pid: int) -> float | None:
    """The processor time of all threads that a process has, to the nanosecond."""
    try:
        threads = list((PROC / str(pid) / "task").iterdir())
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9
    except FileNotFoundError:
        return None


def resident_mb(pid: int) -> float | None:
    """The memory that a process holds, in units of a million bytes."""
    try:
        lines = (PROC / str(pid) / "status").read_text().splitlines()
    except FileNotFoundError:
        return None
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmRSS:"))


class CpuMeter:
    """Adds up the processor time of some processes over the stretches that are measured.

    pids  name → process id
    """

    def __init__(self, pids: dict[str, int]) -> None:
        self._pids = pids
        self._began: dict[str, float | None] = {}
        self._seconds: dict[str, float] = dict.fromkeys(pids, 0.0)

    def start(self) -> None:
        """Begin a stretch."""
        self._began = {name: cpu_seconds(pid) for name, pid in self._pids.items()}

    def stop(self) -> None:
        """End it and add it."""
        for name, pid in self._pids.items():
            began, now = self._began[name], cpu_seconds(pid)
            if began is not None and now is not None:
                self._seconds[name] += now - began

    def ms_per(self, count: int) -> dict[str, float]:
        """Milliseconds for one of `count` things, by name."""
        return {name: seconds * 1000 / count for name, seconds in self._seconds.items()}
