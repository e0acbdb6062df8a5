"""How candidates are found: what a query names is looked up in an index, and a page begins where the last one ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from local.cosmos.ranges import WHOLE, Ranges, Scope
from local.cosmos.sql.candidates import candidates
from local.cosmos.sql.compiler import Compiler
from local.cosmos.sql.parser import parse
from local.cosmos.sql.position import Position
from local.cosmos.sql.scan import Order, Scan
from local.cosmos.storage.catalog import Catalog, Container
from local.cosmos.storage.database import Database


@dataclass
class Planner:
    """Tells how SQLite would run a scan."""

    file: Database
    container: Container

    def plan(self, where: str, scope: str, order: Order, *, resumes: bool = False, backwards: bool = False) -> str:
        scopes = {
            "key": Scope(self.container.key.key(["p"]), WHOLE, "0"),
            "range": Scope(None, Ranges(2).intervals[1], "1"),
            "all": Scope(None, WHOLE, None),
        }
        query = parse(f"SELECT * FROM c {where}")
        found = candidates(query, Compiler({}).constant, scopes[scope], self.container.key)
        scan = Scan(self.container, found, order, backwards)
        text, values = scan.statement(Position([], "E", "i", 1, 0) if resumes else None)
        rows = self.file.connection.execute(f"EXPLAIN QUERY PLAN {text}", values)
        return "; ".join(row[3].replace(f"{self.container.table}_", "") for row in rows)


@pytest.fixture(scope="module")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planner]:
    file = Database(tmp_path_factory.mktemp("plans") / "items.sqlite")
    catalog = Catalog(file)
    properties = {"id": "c", "partitionKey": {"paths": ["/pk"], "kind": "Hash"}}
    yield Planner(file, catalog.create_container(catalog.create_database("db"), properties, None))
    file.close()


@pytest.mark.parametrize(
    ("where", "scope", "order", "expected"),
    [
        ("", "key", Order.ID, "INDEX key (epk=?)"),
        ("WHERE c.id > 'a'", "key", Order.ID, "INDEX key (epk=? AND id>?)"),
        ("WHERE c.id = 'a'", "key", Order.ID, "INDEX key (epk=? AND id=?)"),
        ("WHERE c.pk = 'p' AND c.id IN ('a', 'b')", "all", Order.ID, "INDEX key (epk=? AND id=?)"),
        ("", "range", Order.KEY, "INDEX key (epk>?)"),
        ("WHERE c.id > 'a'", "range", Order.ID, "INDEX id (id>?)"),
        ("WHERE c.id = 'a'", "all", Order.ID, "INDEX id (id=?)"),
        ("WHERE c.id IN ('a', 'b')", "all", Order.ID, "INDEX id (id=?)"),
        ("WHERE (c.id = 'a' AND c.pk = 'p') OR (c.id = 'b' AND c.pk = 'q')", "all", Order.KEY, "key (epk=? AND id=?)"),
    ],
    ids=str,
)
def test_what_a_query_names_is_looked_up(planner: Planner, where: str, scope: str, order: Order, expected: str) -> None:
    assert expected in planner.plan(where, scope, order)


@pytest.mark.parametrize(
    ("where", "scope", "order", "backwards", "expected"),
    [
        ("", "key", Order.ID, False, "INDEX key (epk=? AND id>?)"),
        ("WHERE c.id > 'a'", "key", Order.ID, False, "INDEX key (epk=? AND id>?)"),
        ("", "key", Order.ID, True, "INDEX key (epk=? AND id<?)"),
        ("", "range", Order.KEY, False, "INDEX key ((epk,id)>(?,?))"),
        ("WHERE c.id > 'a'", "range", Order.ID, False, "INDEX id ((id,epk)>(?,?))"),
        ("WHERE c.id < 'a'", "all", Order.ID, True, "INDEX id ((id,epk)<(?,?))"),
    ],
    ids=str,
)
def test_a_page_begins_where_the_last_one_ended(
    planner: Planner, where: str, scope: str, order: Order, backwards: bool, expected: str
) -> None:
    plan = planner.plan(where, scope, order, resumes=True, backwards=backwards)
    assert expected in plan
    assert "TEMP B-TREE" not in plan
