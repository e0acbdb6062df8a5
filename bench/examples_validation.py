"""All official R4 examples through the JSON door and validation: counts, refusals with reasons, time per resource.

`python -m bench.examples_validation`; ends with exit code 1 when an example is refused that is not known to be wrong,
or when one does not come out of the door as it went in.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from local.definitions.sources import EXAMPLES, fetched
from shared_code.errors import Invalid
from shared_code.fhir import dump, home_of, parse, references, search_values, validate

KNOWN = Path(__file__).parents[1] / "tests" / "shared_code" / "fhir" / "refused_examples.json"

# The JSON decoder alone is the measure: the machine changes, the ratio hardly does.
_BARE = msgspec.json.Decoder()
_WITH_NUMBERS_AS_TEXT = msgspec.json.Decoder(float_hook=str)


def main(arguments: Sequence[str] = ()) -> int:
    """Run, print a table and the same as one line of JSON."""
    texts = {path.name: path.read_bytes() for path in sorted(fetched(EXAMPLES).glob("*.json"))}
    texts = {name: text for name, text in texts.items() if name not in ("package.json", ".index.json")}
    known: dict[str, dict[str, str]] = json.loads(KNOWN.read_text())
    resources = {name: parse(text) for name, text in texts.items()}
    changed = [name for name, text in texts.items() if not _comes_back(text, resources[name])]
    refused = {name: fault for name, resource in resources.items() if (fault := _fault(resource))}
    surprises = sorted(refused.keys() ^ known.keys())

    print(f"{len(texts)} examples, {len(texts) - len(refused)} valid, {len(refused)} refused, {len(changed)} changed")
    for name, fault in refused.items():
        print(f"  {name}: {fault}\n    {known.get(name, {}).get('reason', 'NOT KNOWN to be wrong')}")
    for name in surprises:
        print(f"  not as expected: {name}")
    small = [name for name in texts if len(texts[name]) < 20_000 and name not in refused]
    times = _times([texts[name] for name in small], [resources[name] for name in small])
    size = sum(len(texts[name]) for name in small) / len(small)
    print(f"per resource of the {len(small)} below 20 kB ({size:,.0f} bytes each)")
    for step, seconds in times.items():
        print(f"  {step:<16}{seconds * 1e6:8.1f} µs {seconds / times['bare decoding']:6.2f} x")
    result = {
        "examples": len(texts),
        "refused": list(refused),
        "changed": changed,
        "unexpected": surprises,
        "seconds": times,
    }
    print(json.dumps(result))
    return 1 if surprises or changed else 0


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
        "references": (lambda resource: list(references(resource)), resources),
        "dump": (dump, resources),
    }
    return {name: min(_once(step, values) for _ in range(3)) / len(values) for name, (step, values) in steps.items()}


def _once(step: Callable[[Any], object], values: Sequence[Any]) -> float:
    start = time.perf_counter()
    for value in values:
        step(value)
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
