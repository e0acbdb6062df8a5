"""The order in which the entries of a batch are carried out. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from shared_code.loading.entries import Entry
from shared_code.loading.plan import Plan


class Waves:
    """Entries side by side, wave after wave: each after those it refers to.

    Those with conditional references come as late as they can, since another may make what they name. Entries that
    refer to each other in a circle come together, at the end.
    """

    def __init__(self, entries: Iterable[Entry], plan: Plan) -> None:
        self._rest = {entry.index: entry for entry in entries}
        self._plan = plan
        self._awaited = {index: plan.awaited(entry) & self._rest.keys() for index, entry in self._rest.items()}
        self._followers: dict[int, list[int]] = {}
        for index, awaited in self._awaited.items():
            for other in awaited:
                self._followers.setdefault(other, []).append(index)
        self._plain: list[int] = []
        self._conditional: list[int] = []
        for index in self._rest:
            self._add_if_ready(index)

    def next(self) -> list[Entry]:
        """The next entries, all of which are taken to be carried out then; none at the end."""
        if self._plain:
            indices, self._plain = self._plain, []
        elif self._conditional:
            indices, self._conditional = self._conditional, []
        else:
            indices = list(self._rest)
        wave = [self._rest.pop(index) for index in indices]
        for entry in wave:
            for follower in self._followers.get(entry.index, ()):
                self._awaited[follower].discard(entry.index)
                if follower in self._rest:
                    self._add_if_ready(follower)
        return wave

    def _add_if_ready(self, index: int) -> None:
        if not self._awaited[index]:
            is_conditional = any(link.condition for link in self._plan.links[index])
            (self._conditional if is_conditional else self._plain).append(index)
