"""What came of a load: how many resources of each type, and every failure with its file and entry."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that was not stored.

    where  the entry or line, e.g. "Bundle.entry[3].resource.status"; "" for the file as a whole
    """

    file: str
    where: str
    text: str


@dataclass(slots=True)
class Report:
    """The sum over all files."""

    stored: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)

    def add(self, other: Report) -> None:
        """Add the outcome of one file."""
        self.stored.update(other.stored)
        self.failures += other.failures
