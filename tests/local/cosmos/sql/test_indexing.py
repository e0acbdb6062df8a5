"""Which paths an indexing policy covers, and which conditions its index can answer."""

from __future__ import annotations

import pytest

from local.cosmos.sql.indexing import IndexingPolicy
from local.cosmos.sql.parser import parse

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
    ],
)
def test_a_condition_is_served_when_all_its_paths_are_covered(condition: str, served: bool) -> None:
    where = parse(f"SELECT * FROM c WHERE {condition}").where
    assert where is not None
    assert POLICY.serves(where, "c") is served
