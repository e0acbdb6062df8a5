"""The folder that holds all state of one stack: where each thing lies in it, its ports, and the lock on it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from local.services.app import issuer_url
from local.stack.ports import free_ports
from local.state_files import create_once

LOCK = "lock"


class FolderInUseError(Exception):
    """Another stack runs on the folder; the text names its process."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports that stay the same for as long as the folder lives: the issuer's is part of every token."""

    blob: int
    queue: int
    table: int
    cosmos: int
    services: int
    email: int


@dataclass(frozen=True, slots=True)
class StackFolder:
    """Paths under the folder that `--data` names."""

    root: Path

    @property
    def azurite(self) -> Path:
        """Azurite's own data."""
        return self.root / "azurite"

    @property
    def cosmos(self) -> Path:
        """The Cosmos server's data."""
        return self.root / "cosmos"

    @property
    def services(self) -> Path:
        """Keys of the issuer and the email service, captured email, delivered events."""
        return self.root / "services"

    @property
    def logs(self) -> Path:
        """One log per child."""
        return self.root / "logs"

    @property
    def app_settings(self) -> Path:
        """The app's settings in Azure's own format."""
        return self.root / "local.settings.json"

    @property
    def services_json(self) -> Path:
        """Every URL, process and key of the running stack."""
        return self.root / "services.json"

    @property
    def sample(self) -> Path:
        """Which sample people were loaded."""
        return self.root / "sample.json"

    def master_key(self) -> str:
        """The functions host's key that opens everything, the admin routes too."""
        return create_once(self.root / "master-key", secrets.token_urlsafe(32)).strip()

    def ports(self) -> Ports:
        """The ports of this stack, chosen free the first time."""
        path = self.root / "ports.json"
        names = list(Ports.__dataclass_fields__)
        chosen = "" if path.exists() else json.dumps(asdict(Ports(*free_ports(len(names)))), indent=1)
        return Ports(**json.loads(create_once(path, chosen)))

    def issuer(self) -> str:
        """The issuer of this stack's tokens."""
        return issuer_url(self.ports().services)

    def forget(self) -> None:
        """Remove everything of earlier runs; the caller holds the lock, which stays."""
        for path in self.root.iterdir():
            if path.name == LOCK:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process; the system lets go of it when the process ends, however it ends."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / LOCK).open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise FolderInUseError(
                    f"{self.root} is in use by the stack of process {file.read().strip()};"
                    " end that one, or name another folder with --data"
                ) from None
            file.seek(0)
            file.truncate()
            file.write(str(os.getpid()))
            file.flush()
            yield
