"""Which paths an indexing policy covers, and which conditions its index can answer."""

from __future__ import annotations

import pytest

from local.cosmos.sql.indexing import IndexingPolicy
from local.cosmos.sql.parser import parse
from local.cosmos.sql.served import Served

POLICY = IndexingPolicy(
    {
        "indexingMode": "consistent",
        "includedPaths": [{"path": "/kind/?"}, {"path": "/s/*"}, {"path": '/"odd name"/?'}, {"path": "/list/[]/?"}],
        "excludedPaths": [{"path": "/*"}, {"path": "/s/secret/?"}],
    }
)


@pytest.mark.parametrize(
    ("path", "covered"),
    [
        ("kind", True),
        ("kind/below", False),
        ("s/code", True),
        ("s/deep/er", True),
        ("s/secret", False),
        ("s/secret/below", True),
        ("odd name", True),
        ("other", False),
        ("id", True),
        ("_ts", True),
        ("_etag", False),
        ("list/[]", True),
    ],
)
def test_the_more_precise_path_decides(path: str, covered: bool) -> None:
    assert POLICY.covers(tuple(path.split("/"))) is covered


@pytest.mark.parametrize(
    ("condition", "served"),
    [
        ("c.kind = 'current'", True),
        ("c.other = 1", False),
        ("ARRAY_CONTAINS(c.s.code, 'x')", True),
        ("ARRAY_CONTAINS(c.list, 'x')", True),
        ("EXISTS(SELECT VALUE d FROM d IN c.s.date WHERE d.lo < 'x')", True),
        ("EXISTS(SELECT VALUE d FROM d IN c.other WHERE d.lo < 'x')", False),
        ("c.kind = 'a' OR c.other = 'b'", False),
        ("LENGTH(c[@name]) > 1", False),
        ("c.kind IN ('a', @b) AND NOT (c.s.n BETWEEN 1 AND 2)", True),
        ("1 < c.s.n", True),
        ("c.s.n = 1 + 1", True),
        ("c.s.n = c.s.m", False),
        ("c.s.flag", True),
        ("c.kind LIKE 'a%'", True),
        ("IS_DEFINED(c.kind) = false", True),
        ("STARTSWITH(c.kind, 'a', true)", True),
        ("LEFT(c.kind, 2) = 'cu'", True),
        ("SUBSTRING(c.kind, 0, 2) = 'cu'", True),
        ("SUBSTRING(c.kind, 1, 2) = 'ur'", False),
        ("UPPER(c.id) = '1'", False),
        ("STARTSWITH(LOWER(c.kind), 'a')", False),
        ("ABS(c.s.n) = 1", False),
        ("c.s.n % 50 = 1", False),
        ("-c.s.n = 1", False),
        ("c.kind = 'a' AND UPPER(c.id) = '1'", False),
        ("(c.kind ?? 'a') = 'a'", False),
        ("EXISTS(SELECT VALUE d FROM d IN c.s.date WHERE UPPER(d.lo) < 'X')", False),
        ("EXISTS(SELECT VALUE d FROM d IN c.list WHERE d = 'x')", True),
        ("EXISTS(SELECT VALUE d FROM e IN c.s.a JOIN d IN e.b WHERE d = 'x')", True),
        ("EXISTS(SELECT VALUE d FROM d IN @all WHERE d = c.kind)", False),
        ("ARRAY_LENGTH(ARRAY(SELECT VALUE d FROM d IN c.list)) > 1", False),
    ],
)
def test_a_condition_is_served_when_the_values_of_its_paths_are_in_the_index(condition: str, served: bool) -> None:
    where = parse(f"SELECT * FROM c WHERE {condition}").where
    assert where is not None
    assert Served(POLICY, {"c": ()}).decides(where) is served
