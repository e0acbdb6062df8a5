"""The app's routes: no request is for two functions, whatever the order of their names, and every one is documented."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from urllib.parse import unquote

import pytest

from local.host.routes import Route
from shared_code.fhir import resource_types
from tests.app_routes import EVERY_METHOD, path_of, routes

ROOT = Path(__file__).resolve().parents[1]
PREFIX = "api/"

# What may stand between two slashes: types in every case, ids that look like something else, operations, oddities.
SEGMENTS = [
    *("Observation", "observation", "PATIENT", "metadata", "Metadata", "METADATA", "metadata2", "x-metadata"),
    *("_search", "_SEARCH", "_history", "_History", "$everything", "$export", "_", "$", "health", "ready", "load"),
    *("fhir", "statistics", "1", "a.b-c", "x" * 64, "%24export", "%5Fhistory", "ä", "a b", "-", "."),
]


def compiled() -> dict[str, Route]:
    return {template: Route(f"{PREFIX}{template}") for template in routes()}


def paths() -> list[str]:
    """Paths of up to four segments under each first one."""
    first = ["fhir", "FHIR", "health", "load", "statistics", "Health"]
    tails = [""]
    found = []
    for _ in range(3):
        tails = [
            f"{tail}/{segment}" for tail in tails for segment in (SEGMENTS if tail.count("/") < 2 else SEGMENTS[:22])
        ]
        found += [f"/api/{one}{tail}" for one in first for tail in tails]
    four = [
        f"/api/fhir/{kind}/{own}/{mid}/{end}"
        for kind in SEGMENTS[:9]
        for own in SEGMENTS[8:24]
        for mid in ("_history", "x")
        for end in SEGMENTS[:16]
    ]
    return [f"/api/{one}" for one in first] + found + four


def test_no_request_is_for_two_functions() -> None:
    table = compiled()
    pairs = list(combinations(table.values(), 2))
    assert pairs
    matched = set()
    for path in map(unquote, paths()):
        hits = [route.template for route in table.values() if route.match(path) is not None]
        assert len(hits) <= 1, f"{path} is for {hits}"
        matched.update(hits)
    assert matched == {route.template for route in table.values()}, "a template that no path of this test reaches"


def test_a_path_of_each_type_reaches_the_functions_of_resources() -> None:
    table = compiled()
    for kind in resource_types():
        for path in (f"/api/fhir/{kind}", f"/api/fhir/{kind}/x", f"/api/fhir/{kind}/x/_history/1"):
            assert len([one for one in table.values() if one.match(path)]) == 1, path


def test_one_function_answers_every_method_of_its_template() -> None:
    assert all(methods == EVERY_METHOD for methods in routes().values())


def test_two_functions_never_share_a_template() -> None:
    shapes = [route.shape for route in compiled().values()]
    assert len(set(shapes)) == len(shapes)


@pytest.mark.parametrize("template", sorted(routes()))
def test_every_route_is_documented(template: str) -> None:
    pages = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md"))
    documented = (
        path_of(template)
        .replace("Observation", "{type}")
        .replace("/x", "/{id}")
        .replace("/1", "/{vid}")
        .replace("$op", "{operation}")
    )
    assert f"/api/{documented}" in pages, f"/api/{documented} is in no page of docs/"
