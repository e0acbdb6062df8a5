"""Which queries are answered through the index, and that it finds what was written since it last looked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.cosmos.documents import read_document
from local.cosmos.index import choice
from local.cosmos.index.tables import Follower, prepare
from local.cosmos.ranges import WHOLE, Scope
from local.cosmos.sql.execution import Execution, Limits
from local.cosmos.sql.parser import parse
from local.cosmos.storage.catalog import Catalog, Container
from local.cosmos.storage.database import Database
from local.cosmos.storage.items import writing

PEOPLE, ITEMS_EACH = 10, 150
POLICY = {"includedPaths": [{"path": "/type/?"}, {"path": "/s/*"}], "excludedPaths": [{"path": "/*"}]}


@dataclass
class Store:
    """A container whose index has seen every item but those that a test adds."""

    file: Database
    catalog: Catalog
    container: Container

    def write(self, *items: dict[str, object]) -> None:
        with writing(self.file, self.container) as writes:
            for item in items:
                epk = self.container.key.key([str(item["pk"])]).epk
                document = read_document(json.dumps(item).encode())
                current = writes.read(epk, document.id)
                if current is None:
                    writes.create(epk, document)
                else:
                    writes.update(current, document)

    def delete(self, pk: str, item_id: str) -> None:
        with writing(self.file, self.container) as writes:
            current = writes.read(self.container.key.key([pk]).epk, item_id)
            assert current is not None
            writes.delete(current)

    def follow(self) -> Follower:
        follower = Follower.of(self.container)
        connection = self.file.open()
        while follower.step(connection) < self.container.lsn:
            pass
        follower.sweep(connection)
        connection.close()
        return follower

    def terms(self) -> int:
        (count,) = self.file.connection.execute(f"SELECT count(*) FROM terms.{self.container.table}_terms").fetchone()
        return int(count)

    def ids(self, where: str, pk: str | None = None) -> list[str]:
        execution = self._execution(where, pk)
        return [json.loads(row) for row in execution.page(self.file.connection, None, Limits()).rows]

    def uses_index(self, where: str, pk: str | None = None) -> bool:
        index = self._execution(where, pk)._scan.index
        return index is not None and index.find(self.file.connection) is not None

    def looked_at(self, where: str, pk: str | None = None) -> int:
        """How many numbers of items the index gives for a query."""
        index = self._execution(where, pk)._scan.index
        assert index is not None
        found = index.find(self.file.connection)
        assert found is not None
        return len(self.file.connection.execute(found.text, found.values).fetchall())

    def _execution(self, where: str, pk: str | None) -> Execution:
        key = None if pk is None else self.container.key.key([pk])
        scope = Scope(key, WHOLE, None)
        return Execution(parse(f"SELECT VALUE c.id FROM c WHERE {where}"), {}, self.container, scope)


def item(person: int, number: int) -> dict[str, object]:
    kind = "Observation" if number % 10 else "Condition"
    day = f"2024-01-{number % 28 + 1:02}"
    search = {"code": [f"code-{number % 50}", "any"], "date": [{"lo": day, "hi": day}], "value": [number]}
    return {"id": f"{kind}:{number:03}", "pk": f"p{person}", "type": kind, "s": search, "other": number}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    file = Database(tmp_path / "items.sqlite")
    catalog = Catalog(file)
    prepare(file.connection, catalog.identity)
    properties = {"id": "c", "partitionKey": {"paths": ["/pk"], "kind": "Hash"}, "indexingPolicy": POLICY}
    made = Store(file, catalog, catalog.create_container(catalog.create_database("db"), properties, None))
    for person in range(PEOPLE):
        made.write(*[item(person, number) for number in range(ITEMS_EACH)])
    made.follow()
    monkeypatch.setattr(choice, "_MOST_IN_PARTITION", 100)
    yield made
    file.close()


@pytest.mark.parametrize(
    ("where", "pk", "most"),
    [
        ("c.type = 'Condition'", "p1", 15),
        ("ARRAY_CONTAINS(c.s.code, 'code-7')", "p1", 3),
        ("c.s['code'][0] = 'code-7'", "p1", 3),
        ("c.type = 'Observation' AND ARRAY_CONTAINS(c.s.code, 'code-7')", "p1", 3),
        ("ARRAY_CONTAINS(c.s.code, 'code-7') OR ARRAY_CONTAINS(c.s.code, 'code-8')", "p1", 6),
        ("EXISTS(SELECT VALUE d FROM d IN c.s.date WHERE d.lo = '2024-01-03')", "p1", 6),
        ("EXISTS(SELECT VALUE v FROM v IN c.s['value'] WHERE v IN (1, 2, 3))", "p1", 3),
        ("ARRAY_CONTAINS(c.s.code, 'code-7')", None, 30),
        ("EXISTS(SELECT VALUE d FROM d IN c.s.date WHERE d.lo < '2024-01-03')", None, 180),
        ("EXISTS(SELECT VALUE v FROM v IN c.s['value'] WHERE v >= 149.0)", None, 10),
        ("STARTSWITH(c.type, 'Cond')", None, 150),
        ("IS_DEFINED(c.s.code) AND c.type = 'Condition'", None, 150),
    ],
    ids=str,
)
def test_what_the_policy_indexes_is_looked_up(store: Store, where: str, pk: str | None, most: int) -> None:
    assert 0 < store.looked_at(where, pk) <= most
    by_items = store.ids(f"({where}) = true", pk)  # the same condition in a form that no index can tell
    assert not store.uses_index(f"({where}) = true", pk)
    assert store.ids(where, pk) == by_items != []


@pytest.mark.parametrize(
    "where",
    [
        "c.other = 5",
        "c.type != 'Condition'",
        "NOT (c.type = 'Condition')",
        "c.type = 'Condition' OR c.other = 5",
        "EXISTS(SELECT VALUE COUNT(1) FROM v IN c.s['value'] WHERE v = 1000)",
        "c.s = {}",
        "UPPER(c.type) = 'CONDITION'",
    ],
)
def test_what_the_index_cannot_tell_is_found_by_going_through_the_items(store: Store, where: str) -> None:
    assert not store.uses_index(where)


def test_what_was_written_since_the_index_looked_is_found(store: Store) -> None:
    store.write(item(1, 7) | {"s": {"code": ["moved"]}}, item(1, 900) | {"s": {"code": ["code-7"]}})
    assert store.uses_index("ARRAY_CONTAINS(c.s.code, 'moved')", "p1")
    assert store.ids("ARRAY_CONTAINS(c.s.code, 'moved')", "p1") == ["Observation:007"]
    assert store.ids("ARRAY_CONTAINS(c.s.code, 'code-7')", "p1") == [
        "Condition:900",
        "Observation:057",
        "Observation:107",
    ]


def test_an_index_that_is_far_behind_is_not_used_but_sent_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_MOST_BEHIND", 3)
    for number in range(900, 905):
        store.write(item(1, number))
    assert not store.uses_index("c.type = 'Condition'")
    assert store.container.index_missed


def test_terms_go_with_their_items(store: Store) -> None:
    before = store.terms()
    store.write({"id": "new", "pk": "p1", "type": "Condition", "s": {"code": ["a", "b"]}})
    store.follow()
    assert store.terms() > before
    store.write({"id": "new", "pk": "p1"})
    store.follow()
    assert store.terms() == before
    store.delete("p1", "Condition:000")
    store.follow()
    assert store.terms() < before


def test_a_new_policy_begins_a_new_index(store: Store) -> None:
    changed = store.container.properties | {"indexingPolicy": {"includedPaths": [{"path": "/other/?"}]}}
    store.catalog.replace_container(store.container, changed)
    assert not store.uses_index("c.other = 5")
    store.follow()
    assert store.uses_index("c.other = 5")
    assert not store.uses_index("c.type = 'Condition'")
    assert len(store.ids("c.other = 5")) == PEOPLE


def test_an_index_of_other_items_begins_again(store: Store) -> None:
    prepare(store.file.connection, "another account")
    assert not store.uses_index("c.type = 'Condition'")
    store.follow()
    assert store.uses_index("c.type = 'Condition'")


@pytest.mark.parametrize(
    "values",
    [[2**53 + 1, 2**60, -(2**70), 1e300], ["\x00", "ab" * 100, "ab" * 100 + "c", "\U0010ffff"], [None, True, False]],
    ids=["numbers", "texts", "constants"],
)
def test_values_of_every_kind_are_found(store: Store, values: list[object]) -> None:
    for place, value in enumerate(values):
        store.write({"id": f"v{place}", "pk": "v", "s": {"v": value}})
    store.follow()
    for place, value in enumerate(values):
        where = f"c.s.v = {json.dumps(value, ensure_ascii=False)}"
        assert store.uses_index(where)
        assert store.ids(where) == [f"v{place}"]
