"""Writes the app's definitions file from HL7's packages: `python -m local.definitions`; `--check` only compares."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local.definitions import sources
from local.definitions.elements import Elements, codes_of, elements_of, value_sets_in
from local.definitions.homes import home_paths
from local.definitions.parameters import Parameters

TARGET = Path(__file__).parents[2] / "shared_code" / "fhir" / "definitions.ndjson"


def main() -> int:
    """Generate, then write or compare; 1 when the committed file is not what the definitions give."""
    arguments = argparse.ArgumentParser(prog="python -m local.definitions", description=__doc__)
    arguments.add_argument("--check", action="store_true", help="compare with the committed file and write nothing")
    check: bool = arguments.parse_args().check
    text = "".join(f"{line}\n" for line in lines())
    if check:
        same = TARGET.exists() and TARGET.read_text("utf-8") == text
        sys.stdout.write(f"{TARGET.name} {'is' if same else 'is NOT'} what the FHIR definitions give\n")
        return 0 if same else 1
    TARGET.write_text(text, "utf-8", newline="\n")
    sys.stdout.write(f"wrote {TARGET.name}: {len(text.encode()):,} bytes\n")
    return 0


def lines() -> Iterator[str]:
    """The file's lines, each a JSON object that begins with its name: contents, data types, resources, value sets."""
    types = [row for row in sources.definitions("profiles-types.json") if row["kind"] == "complex-type"]
    resources = [row for row in sources.definitions("profiles-resources.json") if row.get("kind") == "resource"]
    concrete = sorted(row["id"] for row in resources if not row["abstract"])
    tables: dict[str, Elements] = {row["id"]: elements_of(row) for row in types + resources}
    parameters = Parameters(sources.definitions("search-parameters.json"), tables)
    compartment = sources.patient_compartment()

    contents: dict[str, dict[str, Any]] = {}
    for name in concrete:
        found = parameters.of(name)
        contents[name] = {
            "home": home_paths(name, compartment.get(name, []), found),
            "elements": tables[name],
            "search": found,
        }
    homed = [name for name in concrete if contents[name]["home"]]
    yield _line("R4", {"version": "4.0.1", "resources": concrete, "homed": homed})
    for name in sorted({row["id"] for row in types} - {"BackboneElement"}):
        yield _line(name, {"elements": tables[name]})
    for name in concrete:
        yield _line(name, contents[name])
    expanded = sources.expansions()
    for name in sorted(value_sets_in(list(tables.values()))):
        yield _line(f"ValueSet/{name}", {"codes": codes_of(expanded[name])})


def _line(name: str, content: dict[str, Any]) -> str:
    return json.dumps({"name": name} | content, ensure_ascii=False, separators=(",", ":"))


if __name__ == "__main__":
    sys.exit(main())
