"""Thousands of generated queries over items of mixed types, answered by the engine and by a second evaluator."""

# ruff: noqa: PLR0911 - one branch for each kind of expression that can be generated

from __future__ import annotations

import functools
import importlib.util
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

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


def _sibling(name: str) -> ModuleType:
    """A module beside this one; tests are not packages."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules.setdefault(name, importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


reference = _sibling("reference")

PATHS = ["c.a", "c.b", "c.o.x", "c.o", "c.l", "c.l[0]", "c.missing", "c.o.missing.deeper"]
ARRAYS = ["c.l", "c.b", "c.missing"]
SCALARS: list[Any] = [None, True, False, 0, 1, -1.5, 2, 10_000_000, "", "a", "ab", "B", "é", "🙂", "%"]
PATTERNS = ["%", "a%", "%b", "_", "a_", "%b%", ""]


class Generator:
    """Makes expressions of a seeded random shape."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def scalar(self) -> Any:
        return self._random.choice(SCALARS)

    def content(self, depth: int = 2) -> Any:
        """A JSON value of any type."""
        kind = self._random.random()
        if depth == 0 or kind < 0.6:
            return self.scalar()
        if kind < 0.8:
            return [self.content(depth - 1) for _ in range(self._random.randrange(4))]
        return {name: self.content(depth - 1) for name in self._random.sample("xyz", self._random.randrange(4))}

    def item(self, number: int) -> dict[str, Any]:
        fields: dict[str, Any] = {"id": f"{number:03}", "pk": "p"}
        for name in ("a", "b", "l", "o"):
            if self._random.random() < 0.8:
                fields[name] = self.content()
        if self._random.random() < 0.5:
            fields["l"] = [self.content(1) for _ in range(self._random.randrange(4))]
        return fields

    def value(self, depth: int, element: bool = False) -> tuple[Any, ...]:
        choice = self._random.random()
        if depth == 0 or choice < 0.45:
            if element and self._random.random() < 0.6:
                return ("path", self._random.choice(["e", "e.x"]))
            if self._random.random() < 0.6:
                return ("path", self._random.choice(PATHS))
            return ("literal", self.content(1) if self._random.random() < 0.2 else self.scalar())
        inner = functools.partial(self.value, depth - 1, element)
        if choice < 0.65:
            return ("binary", self._random.choice(["+", "-", "*", "||"]), inner(), inner())
        if choice < 0.75:
            return ("coalesce", inner(), inner())
        if choice < 0.85:
            return ("if", self.predicate(depth - 1, element), inner(), inner())
        if choice < 0.95:
            return ("call", self._random.choice(["LENGTH", "UPPER", "ABS", "ARRAY_LENGTH"]), inner())
        return self.predicate(depth - 1, element)

    def predicate(self, depth: int, element: bool = False) -> tuple[Any, ...]:
        choice = self._random.random()
        inner = functools.partial(self.value, max(0, depth - 1), element)
        if depth > 0 and choice < 0.35:
            parts = self.predicate(depth - 1, element), self.predicate(depth - 1, element)
            return ("binary", self._random.choice(["AND", "OR"]), *parts)
        if depth > 0 and choice < 0.45:
            return ("not", self.predicate(depth - 1, element))
        if choice < 0.65:
            return ("binary", self._random.choice(["=", "!=", "<", "<=", ">", ">="]), inner(), inner())
        if choice < 0.72:
            choices = [inner() for _ in range(self._random.choice([1, 3, 12]))]
            return ("in", inner(), choices, self._random.random() < 0.4)
        if choice < 0.77:
            return ("between", inner(), inner(), inner())
        if choice < 0.82:
            return ("like", inner(), self._random.choice(PATTERNS))
        if choice < 0.9:
            tests = [
                "IS_DEFINED",
                "IS_NULL",
                "IS_STRING",
                "IS_NUMBER",
                "IS_ARRAY",
                "IS_OBJECT",
                "IS_BOOL",
                "IS_PRIMITIVE",
            ]
            return ("call", self._random.choice(tests), inner())
        if choice < 0.96:
            return ("call", self._random.choice(["STARTSWITH", "CONTAINS", "ARRAY_CONTAINS"]), inner(), inner())
        return ("exists", ("path", self._random.choice(ARRAYS)), self.predicate(max(0, depth - 1), True))


ITEMS = [Generator(1000 + number).item(number) for number in range(60)]
TAGGED = [reference.tagged(item) for item in ITEMS]


class Engine:
    """The server's engine over one partition key, without the web server; through the index of terms or without it."""

    def __init__(self, file: Database, *, indexed: bool) -> None:
        self._file = file
        catalog = Catalog(file)
        prepare(file.connection, catalog.identity)
        policy = {"includedPaths": [{"path": "/*"}], "excludedPaths": [{"path": "/o/x/?"}]}
        properties = {"id": "c", "partitionKey": {"paths": ["/pk"], "kind": "Hash"}, "indexingPolicy": policy}
        self._container: Container = catalog.create_container(catalog.create_database("db"), properties, None)
        key = self._container.key.key(["p"])
        # One partition of few items is gone through; over several, whatever the index can tell is asked for.
        self._scope = Scope(None, WHOLE, None) if indexed else Scope(key, WHOLE, "0")
        if indexed:
            self._write(key.epk, [{**item, "id": ITEMS[place]["id"]} for place, item in enumerate(ITEMS[20:40])])
            self._follow()
            self._write(key.epk, ITEMS[:10])
            self._write(key.epk, ITEMS[20:50])
            self._follow()
            self._write(key.epk, ITEMS[10:20])
            self._write(key.epk, ITEMS[50:])
        else:
            self._write(key.epk, ITEMS)

    def _write(self, epk: str, items: list[dict[str, Any]]) -> None:
        with writing(self._file, self._container) as writes:
            for item in items:
                document = read_document(json.dumps(item).encode())
                current = writes.read(epk, document.id)
                if current is None:
                    writes.create(epk, document)
                else:
                    writes.update(current, document)

    def _follow(self) -> None:
        connection = self._file.open()
        Follower.of(self._container).step(connection)
        connection.close()

    def run(self, query: str, page_items: int = 1000) -> list[Any]:
        execution = Execution(parse(query), {}, self._container, self._scope)
        found: list[Any] = []
        position = None
        while True:
            page = execution.page(self._file.connection, position, Limits(rows=page_items))
            found += [json.loads(row) for row in page.rows]
            position = page.next
            if position is None:
                return found


@pytest.fixture(scope="module", params=[False, True], ids=["items", "index"])
async def engine(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Any:
    file = Database(tmp_path_factory.mktemp("engine") / "items.sqlite")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(choice, "FEW_ITEMS", 0)
        yield Engine(file, indexed=request.param)
    file.close()


def blocks(count: int, size: int) -> Iterator[range]:
    for start in range(0, count * size, size):
        yield range(start, start + size)


BLOCKS = list(blocks(10, 200))


@pytest.mark.parametrize("seeds", BLOCKS, ids=str)
def test_conditions_keep_the_same_items(engine: Engine, seeds: range) -> None:
    for seed in seeds:
        condition = Generator(seed).predicate(3)
        query = f"SELECT VALUE c.id FROM c WHERE {reference.text(condition)}"
        expected = [
            item["id"]
            for item, tagged in zip(ITEMS, TAGGED, strict=True)
            if reference.value_of(condition, tagged) == reference.TRUE
        ]
        assert engine.run(query, page_items=1000 if seed % 10 else 3) == expected, query
        projected = f"SELECT c.id, {reference.text(condition)} AS v FROM c"
        for row, tagged in zip(engine.run(projected), TAGGED, strict=True):
            value = reference.value_of(condition, tagged)
            assert row.get("v", "undefined") == (value[1] if value != reference.UNDEFINED else "undefined"), projected


@pytest.mark.parametrize("seeds", BLOCKS[:5], ids=str)
def test_expressions_have_the_same_values(engine: Engine, seeds: range) -> None:
    for seed in seeds:
        expression = Generator(seed + 50_000).value(3)
        query = f"SELECT c.id, {reference.text(expression)} AS v FROM c"
        found = {row["id"]: row for row in engine.run(query)}
        for item, tagged in zip(ITEMS, TAGGED, strict=True):
            value = reference.value_of(expression, tagged)
            row = found[item["id"]]
            assert (reference.tagged(row["v"]) if "v" in row else reference.UNDEFINED) == value, (query, item)


@pytest.mark.parametrize("seeds", BLOCKS[:3], ids=str)
def test_joins_yield_the_same_rows(engine: Engine, seeds: range) -> None:
    for seed in seeds:
        condition = Generator(seed + 70_000).predicate(2, element=True)
        query = f"SELECT VALUE [c.id, e] FROM c JOIN e IN c.l WHERE {reference.text(condition)}"
        expected = [
            [item["id"], element]
            for item, tagged in zip(ITEMS, TAGGED, strict=True)
            for element in (item["l"] if isinstance(item.get("l"), list) else [])
            if reference.value_of(condition, tagged, reference.tagged(element)) == reference.TRUE
        ]
        assert engine.run(query, page_items=1000 if seed % 10 else 5) == expected, query


@pytest.mark.parametrize("path", ["c.a", "c.b", "c.o.x"])
@pytest.mark.parametrize("direction", ["ASC", "DESC"])
@pytest.mark.parametrize("page_items", [1000, 7])
def test_items_sort_in_the_same_order(engine: Engine, path: str, direction: str, page_items: int) -> None:
    # Composite values have no documented order, so they are left out; ties are in the order of creation.
    condition = (
        "binary",
        "OR",
        ("call", "IS_PRIMITIVE", ("path", path)),
        ("not", ("call", "IS_DEFINED", ("path", path))),
    )
    kept = [
        (item["id"], reference.value_of(("path", path), tagged))
        for item, tagged in zip(ITEMS, TAGGED, strict=True)
        if reference.value_of(condition, tagged) == reference.TRUE
    ]
    sign = 1 if direction == "ASC" else -1
    kept.sort(key=functools.cmp_to_key(lambda left, right: sign * reference.compare(left[1], right[1])))
    query = f"SELECT VALUE c.id FROM c WHERE {reference.text(condition)} ORDER BY {path} {direction}"
    assert engine.run(query, page_items) == [name for name, _ in kept]


@pytest.mark.parametrize("path", ["c.a", "c.b", "c.missing"])
@pytest.mark.parametrize("page_items", [1000, 3])
def test_groups_and_aggregates_are_the_same(engine: Engine, path: str, page_items: int) -> None:
    groups: dict[str, list[Any]] = {}
    for tagged in TAGGED:
        groups.setdefault(repr(reference.value_of(("path", path), tagged)), []).append(tagged)
    expected = []
    for members in groups.values():
        values = [reference.value_of(("path", "c.b"), tagged) for tagged in members]
        defined = [value for value in values if value != reference.UNDEFINED]
        numbers = [value[1] for value in defined if value[0] == "number"]
        row = {"n": len(members), "defined": len(defined)}
        if len(numbers) == len(defined):
            row["sum"] = sum(numbers)
        expected.append(row)
    found = engine.run(
        f"SELECT COUNT(1) AS n, COUNT(c.b) AS defined, SUM(c.b) AS sum FROM c GROUP BY {path}", page_items
    )
    assert _comparable(found) == _comparable(expected)


def _comparable(rows: list[dict[str, Any]]) -> list[Any]:
    return sorted([(row["n"], row["defined"], "sum" in row, float(row.get("sum", 0))) for row in rows])


@pytest.mark.parametrize("seeds", BLOCKS[:2], ids=str)
@pytest.mark.parametrize("page_items", [1000, 4])
def test_distinct_values_are_the_same(engine: Engine, seeds: range, page_items: int) -> None:
    for seed in seeds:
        expression = Generator(seed + 90_000).value(2)
        found = engine.run(f"SELECT DISTINCT VALUE {reference.text(expression)} FROM c", page_items)
        values = [reference.value_of(expression, tagged) for tagged in TAGGED]
        expected: list[Any] = []
        for value in values:
            if value != reference.UNDEFINED and value not in expected:
                expected.append(value)
        assert [reference.tagged(row) for row in found] == expected, reference.text(expression)
