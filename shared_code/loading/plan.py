"""How a bundle's entries hang together: its conditions, the ids of what it creates, where its references lead. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from shared_code import errors
from shared_code.errors import Issue
from shared_code.fhir import Pointers, is_homed_type
from shared_code.loading.entries import Entry
from shared_code.loading.references import Link, Lost, link_of, name_of, names_of, rewrite, rewrite_urls
from shared_code.records import Condition, read_condition, single

Found = Mapping[Condition, list[str]]
_NONE = Pointers()


class Plan:
    """A bundle on its way. `failures` has what is wrong with an entry, by its index.

    matched   entry → id of the one resource that its ifNoneExist matches: nothing is created
    ids       entry → id of what it will create
    """

    def __init__(self, entries: Iterable[Entry], pointers: Mapping[int, Pointers], base_url: str) -> None:
        """`pointers` is what the validation of the entries gave: what each resource points with, by its `id()`."""
        self.entries = list(entries)
        self._pointers = {entry.index: pointers.get(id(entry.resource), _NONE) for entry in self.entries}
        self.links = {
            entry.index: [link_of(entry, *reference, base_url) for reference in self._pointers[entry.index].references]
            for entry in self.entries
        }
        self.failures: dict[int, errors.PortalError] = {}
        self.matched: dict[int, str] = {}
        self.ids: dict[int, str] = {}
        self._base_url = base_url
        self._targets: dict[str, str] = {}
        self._owners: dict[str, set[int]] = {}
        for entry in self.entries:
            for name in names_of(entry, base_url) if entry.method in ("POST", "PUT") else ():
                self._owners.setdefault(name, set()).add(entry.index)
        self._own = {f"{entry.type}/{entry.id}" for entry in self.entries if entry.method == "PUT"}
        self.deleted = {f"{entry.type}/{entry.id}" for entry in self.entries if entry.method == "DELETE"}
        self._conditions: dict[tuple[str, str], Condition] = {}
        for entry in self.entries:
            self._read_conditions(entry)

    def _read_conditions(self, entry: Entry) -> None:
        wanted: list[tuple[tuple[str, str], Link | None]] = [
            (link.condition, link) for link in self.links[entry.index] if link.condition
        ]
        if entry.if_none_exist:
            wanted.append(((entry.type, entry.if_none_exist), None))
        faults = []
        for condition, link in wanted:
            if condition in self._conditions:
                continue
            try:
                self._conditions[condition] = read_condition(*condition, base_url=self._base_url)
            except errors.Malformed as error:
                path = link.path if link else f"{entry.path}.request.ifNoneExist"
                faults += [Issue(issue.code, issue.text, path) for issue in error.issues]
        if faults:
            self.failures[entry.index] = errors.Malformed(issues=faults)

    def create_condition(self, entry: Entry) -> Condition | None:
        """The condition of an entry's ifNoneExist."""
        return self._conditions.get((entry.type, entry.if_none_exist)) if entry.if_none_exist else None

    def condition_types(self, entry: Entry) -> set[str]:
        """The types that an entry's conditions search."""
        conditions = {link.condition[0] for link in self.links[entry.index] if link.condition}
        return conditions | ({entry.type} if entry.if_none_exist else set())

    def link_conditions(self, entries: Iterable[Entry]) -> list[Condition]:
        """The conditions in these entries' references."""
        links = (link for entry in entries for link in self.links[entry.index])
        return [self._conditions[link.condition] for link in links if link.condition in self._conditions]

    def without_deleted(self, found: Found) -> dict[Condition, list[str]]:
        """What conditions match, but for what this transaction deletes; a create on such a condition is its failure."""
        kept = {
            condition: [own for own in ids if f"{condition.type}/{own}" not in self.deleted]
            for condition, ids in found.items()
        }
        for entry in self.entries:
            condition = self.create_condition(entry)
            if condition and len(kept[condition]) < len(found[condition]):
                text = "the condition matches a resource that the same transaction deletes"
                self.failures[entry.index] = errors.Malformed(text, f"{entry.path}.request.ifNoneExist")
        return kept

    def settle(self, found: Found, new_id: Callable[[Entry], str], *, at_once: bool = False) -> None:
        """Say, from what the conditions match, which creates are made and under which ids.

        People and shared resources come first: what is at home with a person carries that partition in its id. So where
        a conditional reference does not lead to one resource yet, a create has no id yet either.

        found     what the conditions of creates match, and those of references as far as they are known
        at_once   all entries take effect together: what the first create on a condition makes, the others match
        """
        self.matched, self.ids = {}, {}
        for links in self.links.values():
            for link in links:
                link.holder["reference"] = link.sent  # as sent, also when the bundle is carried out once more
                link.is_inside = False
        for entry in self.entries:
            condition = self.create_condition(entry)
            if condition is None or entry.index in self.failures:
                continue
            try:
                match = single(condition, found[condition])
            except errors.VersionConflict as error:
                text = error.issues[0].text
                self.failures[entry.index] = errors.VersionConflict(text, f"{entry.path}.request.ifNoneExist")
                continue
            if match:
                self.matched[entry.index] = match
        settled = self.matched.keys() | self.failures.keys()
        creates = [entry for entry in self.entries if entry.method == "POST" and entry.index not in settled]
        followed = self._followed(creates) if at_once else {}
        creates = [entry for entry in creates if entry.index not in followed]
        for entry in creates:
            if not is_homed_type(entry.type):
                self.ids[entry.index] = new_id(entry)
        self._name_entries(followed)
        for entry in creates:
            if is_homed_type(entry.type):
                lost = [link for link in self.links[entry.index] if self._point(link, found)]
                if not any(link.condition for link in lost):
                    self.ids[entry.index] = new_id(entry)
        self._name_entries(followed)

    def _followed(self, creates: Iterable[Entry]) -> dict[int, Entry]:
        """Creates on a condition that an earlier one has too, by their index: that earlier one."""
        firsts: dict[Condition, Entry] = {}
        followed = {}
        for entry in creates:
            condition = self.create_condition(entry)
            if condition and firsts.setdefault(condition, entry) is not entry:
                followed[entry.index] = firsts[condition]
        return followed

    def _name_entries(self, followed: Mapping[int, Entry]) -> None:
        """Say where names lead, as far as ids are given; an entry that follows another is what that one makes."""
        self.matched |= {index: self.ids[first.index] for index, first in followed.items() if first.index in self.ids}
        self._targets = dict(self._names())

    def awaited(self, entry: Entry) -> set[int]:
        """The other entries that this one refers to, whatever became of them, by their indices."""
        names = (name_of(link).partition("#")[0] for link in self.links[entry.index])
        return {index for name in names for index in self._owners.get(name, ())} - {entry.index}

    def learn(self, entry: Entry, own_id: str | None) -> None:
        """What has become of an entry of a batch: the id of its resource, or None where it has failed."""
        if entry.method == "POST" and own_id and own_id != self.ids.get(entry.index):
            self.matched[entry.index] = own_id
        for name in names_of(entry, self._base_url):
            if own_id:
                self._targets[name] = f"{entry.type}/{own_id}"
            else:
                self._targets.pop(name, None)

    def _names(self) -> Iterator[tuple[str, str]]:
        for entry in self.entries:
            own = self.matched.get(entry.index) or self.ids.get(entry.index)
            own = own or (entry.id if entry.method == "PUT" else None)
            if own:
                for name in names_of(entry, self._base_url):
                    yield name, f"{entry.type}/{own}"

    def resolve(self, entry: Entry, found: Found) -> None:
        """Rewrite an entry's references; those that lead to nothing, or to several, are its failure."""
        faults = [link.fault(lost) for link in self.links[entry.index] if (lost := self._point(link, found))]
        rewrite_urls(self._pointers[entry.index].urls, self._targets)
        if faults and entry.index not in self.failures:
            self.failures[entry.index] = errors.Malformed(issues=faults)

    def _point(self, link: Link, found: Found) -> Lost | None:
        """Make a reference lead to its entry, or to the one match of its condition; why it cannot, if it cannot."""
        if len(self._owners.get(name_of(link), ())) > 1:
            return Lost.SEVERAL_ENTRIES
        if rewrite(link, self._targets):
            return None
        if link.condition:
            matches = found.get(self._conditions[link.condition], []) if link.condition in self._conditions else []
            if len(matches) != 1:
                return Lost.SEVERAL_MATCHES if matches else Lost.NOTHING
            link.holder["reference"] = f"{link.condition[0]}/{matches[0]}"
        elif link.own:
            link.holder["reference"] = link.own
        elif link.sent.startswith("urn:"):
            return Lost.NOTHING
        return None

    def outside(self) -> dict[str, Link]:
        """References by type and id to resources that are not of this bundle, each with one place where it stands."""
        return {
            literal: link
            for links in self.links.values()
            for link in links
            if not link.is_inside and (literal := link.literal) and literal not in self._own
        }

    def raise_failures(self) -> None:
        """Raises what is wrong with the entries, all of the first kind together."""
        if self.failures:
            kind = type(next(iter(self.failures.values())))
            issues = [issue for failure in self.failures.values() if type(failure) is kind for issue in failure.issues]
            raise kind(issues=issues)
