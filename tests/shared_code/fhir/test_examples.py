"""One official example of each type goes in and out unchanged and is found valid; the wrong ones are refused."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from shared_code.errors import Invalid
from shared_code.fhir import dump, home_of, parse, resource_types, search_values, validate

REFUSED: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("refused_examples.json").read_text())

# Of these HL7 published no example, or only a wrong one.
NO_EXAMPLE = {
    "DeviceMetric",
    "DeviceUseStatement",
    "EventDefinition",
    "SubstanceNucleicAcid",
    "SubstancePolymer",
    "SubstanceProtein",
    "SubstanceReferenceInformation",
    "SubstanceSourceMaterial",
}

_WITH_NUMBERS_AS_TEXT = msgspec.json.Decoder(float_hook=str)


def test_one_official_example_of_each_type_is_valid_and_comes_back_as_it_was(examples: Path) -> None:
    smallest: dict[str, Path] = {}
    for path in sorted(examples.glob("*-*.json"), key=lambda path: (path.stat().st_size, path.name)):
        if path.name not in REFUSED:
            smallest.setdefault(path.name.partition("-")[0], path)
    assert resource_types() - smallest.keys() == NO_EXAMPLE
    for name in sorted(resource_types() - NO_EXAMPLE):
        text = smallest[name].read_bytes()
        resource = parse(text)
        validate(resource)
        assert _WITH_NUMBERS_AS_TEXT.decode(dump(resource)) == _WITH_NUMBERS_AS_TEXT.decode(text), name
        search_values(resource)
        home_of(resource)


@pytest.mark.parametrize("name", [name for name in REFUSED if not name.startswith(("Bundle", "Impl", "ig"))])
def test_an_official_example_that_is_wrong_is_refused_at_the_place_that_is_wrong(examples: Path, name: str) -> None:
    with pytest.raises(Invalid) as refusal:
        validate(parse((examples / name).read_bytes()))
    assert refusal.value.issues[0].path == REFUSED[name]["path"]
