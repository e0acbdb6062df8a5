"""All official R4 examples through the JSON door and validation: refusals with reasons, time per resource."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.measuring.report import Findings
from local.definitions.sources import EXAMPLES, fetched
from shared_code.errors import Invalid
from shared_code.fhir import dump, home_of, parse, search_values, validate

KNOWN = Path(__file__).parents[1] / "tests" / "shared_code" / "fhir" / "refused_examples.json"

# The JSON decoder alone is the measure: the machine changes, the ratio hardly does.
_BARE = msgspec.json.Decoder()
_WITH_NUMBERS_AS_TEXT = msgspec.json.Decoder(float_hook=str)


def main(arguments: Sequence[str] = ()) -> int:
    """Run, print and write; 1 where an example is refused or accepted against what is known, or comes back changed."""
    argparse.ArgumentParser(prog="dev.py bench examples_validation", description=__doc__).parse_args(arguments)
    texts = {path.name: path.read_bytes() for path in sorted(fetched(EXAMPLES).glob("*.json"))}
    texts = {name: text for name, text in texts.items() if name not in ("package.json", ".index.json")}
    known: dict[str, dict[str, str]] = json.loads(KNOWN.read_text(encoding="utf-8"))
    resources = {name: parse(text) for name, text in texts.items()}
    changed = [name for name, text in texts.items() if not _comes_back(text, resources[name])]
    refused = {name: fault for name, resource in resources.items() if (fault := _fault(resource))}
    for name, fault in refused.items():
        print(f"{name}: {fault}\n    {known.get(name, {}).get('reason', 'NOT KNOWN to be wrong')}")

    small = [name for name in texts if len(texts[name]) < 20_000 and name not in refused]
    times = _times([texts[name] for name in small], [resources[name] for name in small])
    size = sum(len(texts[name]) for name in small) / len(small)
    title = f"Per resource of the {len(small):,} below 20 kB, {size:,.0f} bytes each"
    findings = Findings("examples_validation", title, ("step", "µs", "over bare decoding"))
    for step, seconds in times.items():
        over = seconds / times["bare decoding"]
        findings.rows.append({"step": step, "µs": seconds * 1e6, "over bare decoding": over})
    findings.facts |= {"examples": len(texts), "valid": len(texts) - len(refused), "refused": refused}
    findings.missed += [f"{name} comes back changed" for name in changed]
    findings.missed += [f"{name} is not as expected" for name in sorted(refused.keys() ^ known.keys())]
    return findings.publish()


def _comes_back(text: bytes, resource: Any) -> bool:
    return bool(
        _WITH_NUMBERS_AS_TEXT.decode(dump(resource)) == _WITH_NUMBERS_AS_TEXT.decode(text.removeprefix(b"\xef\xbb\xbf"))
    )


def _fault(resource: Any) -> str | None:
    try:
        validate(resource)
    except Invalid as error:
        return f"{error.issues[0].path}: {error.issues[0].text}"
    return None


def _times(texts: Sequence[bytes], resources: Sequence[Any]) -> dict[str, float]:
    steps: dict[str, tuple[Callable[[Any], object], Sequence[Any]]] = {
        "bare decoding": (_BARE.decode, texts),
        "parse": (parse, texts),
        "validate": (validate, resources),
        "search values": (search_values, resources),
        "home": (home_of, resources),
        "dump": (dump, resources),
    }
    return {name: min(_once(step, values) for _ in range(3)) / len(values) for name, (step, values) in steps.items()}


def _once(step: Callable[[Any], object], values: Sequence[Any]) -> float:
    start = time.perf_counter()
    for value in values:
        step(value)
    return time.perf_counter() - start
