"""One official R4 example of each type goes in over HTTP and comes back as it was, to the digit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from local.definitions.sources import EXAMPLES, fetched
from shared_code.fhir import resource_types
from tests.system.fhir_answers import FHIR

REFUSED = json.loads((Path(__file__).parents[1] / "shared_code/fhir/refused_examples.json").read_text(encoding="utf-8"))
WITHOUT_EXAMPLE = 8  # types of which HL7 published no example, or only a wrong one
_NUMBERS_AS_TEXT = msgspec.json.Decoder(float_hook=str)


@pytest.fixture(scope="module")
def smallest() -> dict[str, Path]:
    """The smallest good example of each type."""
    found: dict[str, Path] = {}
    for path in sorted(fetched(EXAMPLES).glob("*-*.json"), key=lambda path: (path.stat().st_size, path.name)):
        kind = path.name.partition("-")[0]
        if path.name not in REFUSED and kind in resource_types():
            found.setdefault(kind, path)
    return found


def content(text: bytes) -> Any:
    """A resource with its numbers as text, without what the server may set."""
    resource = _NUMBERS_AS_TEXT.decode(text)
    meta = {name: value for name, value in resource.pop("meta", {}).items() if name not in ("versionId", "lastUpdated")}
    resource.pop("id", None)
    return resource | ({"meta": meta} if meta else {})


def test_an_example_of_each_type_is_created_and_read_back_equal(api: httpx.Client, smallest: dict[str, Path]) -> None:
    assert len(smallest) == len(resource_types()) - WITHOUT_EXAMPLE
    for kind, path in smallest.items():
        text = path.read_bytes()
        created = api.post(f"/fhir/{kind}", content=text, headers={"Content-Type": FHIR})
        assert created.status_code == 201, f"{path.name}: {created.text[:500]}"
        read = api.get(created.headers["Location"])
        assert content(read.content) == content(text), path.name
        again = api.put(f"/fhir/{kind}/{read.json()['id']}", content=read.content, headers={"Content-Type": FHIR})
        assert (again.status_code, again.headers["ETag"]) == (200, 'W/"1"'), path.name


def test_a_system_finds_the_examples_of_each_type(api: httpx.Client, smallest: dict[str, Path]) -> None:
    for kind in smallest:
        bundle = api.get(f"/fhir/{kind}", params={"_count": 1, "_total": "accurate"}).json()
        assert bundle["total"] >= 1, kind
