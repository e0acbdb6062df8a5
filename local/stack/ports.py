"""Which TCP ports a stack uses, how free ones are found, and who holds one that is taken."""

from __future__ import annotations

import secrets
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

# Below what Linux, macOS and Windows give to outgoing connections: such a port cannot be gone when a child restarts.
FIRST, LAST = 20_000, 32_000
HOST = "127.0.0.1"


class PortTakenError(Exception):
    """A port is in use; the text says by whom."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that listens on a port."""

    pid: int
    command: str


def free_ports(count: int) -> list[int]:
    """`count` different ports on which nothing listens now."""
    found: list[int] = []
    while len(found) < count:
        port = FIRST + secrets.randbelow(LAST - FIRST)
        if port not in found and is_free(port):
            found.append(port)
    return found


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def require_free(port: int, purpose: str, advice: str) -> None:
    """Raises PortTakenError with the holder's name if something listens on `port`."""
    if is_free(port):
        return
    holder = holder_of(port)
    by = f"process {holder.pid} ({holder.command})" if holder else "a process that this user cannot see"
    raise PortTakenError(f"port {port}, wanted for {purpose}, is taken by {by}. {advice}")


def holder_of(port: int) -> Holder | None:
    """Who listens on `port`: from /proc where there is one, else from lsof."""
    if Path("/proc/net/tcp").exists():
        return _holder_in_proc(port)
    try:
        listed = subprocess.run(
            ["lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-t"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return None
    pids = listed.stdout.split()
    return Holder(int(pids[0]), command_of(int(pids[0]))) if pids else None


def _holder_in_proc(port: int) -> Holder | None:
    inodes = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal():
            continue
        try:
            if any(str(descriptor.readlink()) in inodes for descriptor in (process / "fd").iterdir()):
                return Holder(int(process.name), command_of(int(process.name)))
        except OSError:
            continue  # ended meanwhile, or another user's
    return None


def _listening_inodes(port: int) -> list[str]:
    """Socket inodes that listen on `port`; the columns of /proc/net/tcp are described in proc(5)."""
    inodes = []
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if not table.exists():
            continue
        for line in table.read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == "0A" and int(columns[1].rpartition(":")[2], 16) == port:
                inodes.append(columns[9])
    return inodes


def command_of(pid: int) -> str:
    """The command line of a process, "" if there is no such process or it cannot be seen."""
    path = Path(f"/proc/{pid}/cmdline")
    try:
        return path.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        pass  # no /proc here, or no such process: ps knows
    try:
        listed = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return listed.stdout.strip()
