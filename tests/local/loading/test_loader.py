"""`dev.py load` into a served stack: by POST, by way of the container, and what it says of what it could not store."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def load(stack):
    def run(*paths: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "dev.py"), "load", *(str(path) for path in paths)]
        command += ["--data", str(stack.folder.root), "--concurrency", "2"]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    return run


@pytest.fixture
def api(stack):
    headers = {"Authorization": f"Bearer {stack.token(system=True)}"}
    with httpx.Client(base_url=f"{stack.url}/api/fhir", headers=headers, timeout=30, trust_env=False) as client:
        yield client


def patient(resource_id: str, **more) -> dict:
    return {"resourceType": "Patient", "id": resource_id, "name": [{"family": "Loaded"}], **more}


def bundle_of(*resources: dict, kind: str = "transaction") -> str:
    entries = [{"resource": one, "request": {"method": "PUT", "url": f"Patient/{one['id']}"}} for one in resources]
    return json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries})


def test_bundles_in_files_and_archives_are_stored_and_counted(load, api, tmp_path):
    (tmp_path / "one.json").write_text(bundle_of(patient("load-a")))
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.writestr("two.json", bundle_of(patient("load-b"), patient("load-c"), kind="batch"))
        archive.writestr("three.json.gz", gzip.compress(bundle_of(patient("load-d")).encode()))
    answer = load(tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "Patient" in answer.stdout
    assert "no failures" in answer.stdout
    assert [api.get(f"/Patient/load-{letter}").status_code for letter in "abcd"] == [200] * 4


@pytest.mark.parametrize("ending", ["ndjson", "ndjson.gz"])
def test_lines_are_loaded_by_way_of_the_container_and_never_twice(load, api, tmp_path, ending):
    name = ending.replace(".", "-")
    text = "\n".join(json.dumps(patient(f"{name}-{number}")) for number in range(3)) + "\n"
    path = tmp_path / f"people.{ending}"
    path.write_bytes(gzip.compress(text.encode(), mtime=0) if ending.endswith("gz") else text.encode())
    for _ in range(2):
        answer = load(path)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        versions = [api.get(f"/Patient/{name}-{number}").json()["meta"]["versionId"] for number in range(3)]
        assert versions == ["1"] * 3


def test_what_could_not_be_stored_is_named_with_its_file_and_entry(load, tmp_path):
    (tmp_path / "bad.json").write_text(bundle_of(patient("load-ok"), patient("load-bad", gender="robot")))
    (tmp_path / "none.json").write_text("{}")
    answer = load(tmp_path)
    assert answer.returncode == 1
    assert "bad.json: Bundle.entry[1].resource.gender: 422" in answer.stdout.replace("Patient.gender", "gender")
    assert "none.json: the file: not a Bundle of type transaction or batch" in answer.stdout
    assert "2 failures" in answer.stdout


def test_a_file_that_cannot_be_read_fails_alone(load, api, tmp_path):
    (tmp_path / "broken.json.gz").write_bytes(gzip.compress(bundle_of(patient("never")).encode())[:-20])
    (tmp_path / "whole.json").write_text(bundle_of(patient("beside-broken")))
    answer = load(tmp_path)
    assert answer.returncode == 1
    assert "broken.json.gz: the file: cannot be read: " in answer.stdout
    assert api.get("/Patient/beside-broken").status_code == 200


def test_an_entry_of_a_batch_fails_alone(load, api, tmp_path):
    bad = patient("batch-bad", birthDate="2020-02-30")
    (tmp_path / "batch.json").write_text(bundle_of(patient("batch-ok"), bad, kind="batch"))
    answer = load(tmp_path)
    assert answer.returncode == 1
    assert "batch.json: " in answer.stdout
    assert api.get("/Patient/batch-ok").status_code == 200
    assert api.get("/Patient/batch-bad").status_code == 404


def test_a_line_that_cannot_be_stored_is_named(load, tmp_path):
    lines = [json.dumps(patient("line-ok")), '{"resourceType": "Patient", "nonsense": 1}']
    (tmp_path / "lines.ndjson").write_text("\n".join(lines))
    answer = load(tmp_path / "lines.ndjson")
    assert answer.returncode == 1
    assert "lines.ndjson: line 2: " in answer.stdout


def test_a_server_that_starts_again_is_waited_for(stack, load, api, tmp_path):
    (tmp_path / "late.json").write_text(bundle_of(patient("load-late")))
    stack.kill("functions")
    answer = load(tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert api.get("/Patient/load-late").status_code == 200
