"""Which things there are to load in files, folders and archives, and in which order."""

from __future__ import annotations

import gzip
import hashlib
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

CHUNK = 1024 * 1024
BUNDLE, LINES = (".json", ".json.gz"), (".ndjson", ".ndjson.gz")
# What other files refer to by identifier has to be there before them.
FIRST = ("hospital", "practitioner")


class NothingToLoadError(Exception):
    """A path holds nothing that can be loaded; the text names it."""


@dataclass(frozen=True, slots=True)
class Source:
    """One bundle or one NDJSON file.

    name  as reports show it: the path, and the member's name after a "!" if it is in an archive
    open  a new stream of the bytes as they are stored, perhaps gzipped
    """

    name: str
    open: Callable[[], IO[bytes]]

    @property
    def file_name(self) -> str:
        """The last part of the name."""
        return PurePosixPath(self.name.replace("!", "/").replace("\\", "/")).name

    @property
    def is_lines(self) -> bool:
        """NDJSON, and not one bundle."""
        return self.file_name.lower().endswith(LINES)

    @property
    def is_first(self) -> bool:
        """Care givers, whom the others refer to."""
        return self.file_name.lower().startswith(FIRST)

    def digest(self) -> str:
        """The SHA-256 of the stored bytes, in hex."""
        digest = hashlib.sha256()
        with self.open() as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
        return digest.hexdigest()

    def text(self, most_bytes: int) -> bytes | None:
        """The content, unzipped; None if it is longer than `most_bytes`."""
        with self.open() as stream:
            if not self.file_name.lower().endswith(".gz"):
                content = stream.read(most_bytes + 1)
            else:
                with gzip.open(stream) as unzipped:
                    content = unzipped.read(most_bytes + 1)
        return content if len(content) <= most_bytes else None


def sources_of(paths: Iterable[Path]) -> list[Source]:
    """Everything in `paths`, care givers first, else by name; raises NothingToLoadError."""
    found: list[Source] = []
    for path in paths:
        here = list(_sources_in(path))
        if not here:
            wanted = ", ".join((*BUNDLE, *LINES, ".zip"))
            raise NothingToLoadError(f"{path} is not there" if not path.exists() else f"{path} has no {wanted} file")
        found += here
    return sorted(found, key=lambda source: (not source.is_first, source.name))


def _sources_in(path: Path) -> Iterator[Source]:
    if path.is_dir():
        for inner in sorted(path.rglob("*")):
            if inner.is_file():
                yield from _sources_in(inner)
    elif not path.is_file():
        return
    elif path.suffix.lower() == ".zip":
        try:
            with zipfile.ZipFile(path) as archive:
                members = archive.namelist()
        except zipfile.BadZipFile as error:
            raise NothingToLoadError(f"{path} is no zip archive: {error}") from None
        for member in members:
            if member.lower().endswith((*BUNDLE, *LINES)):
                yield Source(f"{path}!{member}", _opens_member(path, member))
    elif path.name.lower().endswith((*BUNDLE, *LINES)):
        yield Source(str(path), lambda: path.open("rb"))


def _opens_member(path: Path, member: str) -> Callable[[], IO[bytes]]:
    def opened() -> IO[bytes]:
        archive = zipfile.ZipFile(path)
        stream = archive.open(member)
        archive.close()  # the member's stream keeps the file open for as long as it is read
        return stream

    return opened
