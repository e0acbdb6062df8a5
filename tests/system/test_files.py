"""Files put into the `bundles` container, as a user would: loaded once, with a job that says what became of them."""

from __future__ import annotations

import gzip
import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from azure.storage.blob import ContainerClient

from shared_code.fhir import Resource
from tests.builders import observation, patient
from tests.system.fhir_answers import batch, ids, issue, pages, post, put, resources, transaction

if TYPE_CHECKING:
    from local.stack.served import ServedStack

LOAD_SECONDS = 30


@pytest.fixture(scope="module")
def container(stack: ServedStack) -> Iterator[ContainerClient]:
    """The container that files are put into."""
    connection = stack.services["azurite"]["connectionString"]
    with ContainerClient.from_connection_string(connection, "bundles") as client:
        yield client


@dataclass(frozen=True)
class Files:
    """Puts files there and follows their jobs."""

    container: ContainerClient
    api: httpx.Client

    def put(self, name: str, content: bytes) -> str:
        """The name of a new blob with this content."""
        blob = f"{uuid.uuid4().hex[:8]}/{name}"
        self.container.upload_blob(blob, content)
        return blob

    def state(self, blob: str) -> dict[str, Any]:
        answer = self.api.get("/load", params={"file": blob})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def ended(self, blob: str) -> dict[str, Any]:
        """The job once it has ended."""
        deadline = time.monotonic() + LOAD_SECONDS
        while (job := self.state(blob))["status"] not in ("completed", "failed"):
            assert job["status"] in ("queued", "running")
            assert time.monotonic() < deadline, f"not loaded: {job}"
            time.sleep(0.1)
        return job


@pytest.fixture(scope="module")
def files(container: ContainerClient, api: httpx.Client) -> Files:
    return Files(container, api)


def text(resource: Resource) -> bytes:
    return json.dumps(resource).encode()


def lines(*resources: Resource) -> bytes:
    return b"".join(text(resource) + b"\n" for resource in resources)


def weights(patient_id: str, count: int) -> list[Resource]:
    return [observation(patient_id, issued=f"2026-03-01T08:{n // 60:02d}:{n % 60:02d}Z") for n in range(count)]


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_transaction_bundle_is_loaded_whole(files: Files, api: httpx.Client, pack: Callable[[bytes], bytes]) -> None:
    own = f"person-{uuid.uuid4().hex[:8]}"
    bundle = transaction(put(patient(id=own)), *(post(weight) for weight in weights(own, 120)))
    job = files.ended(files.put("history.json" + (".gz" if pack is gzip.compress else ""), pack(text(bundle))))
    assert (job["status"], job["counts"], job["errors"]) == ("completed", {"Patient": 1, "Observation": 120}, [])
    assert job["finishedAt"] >= job["createdAt"]
    assert len(ids(api, "/fhir/Observation", {"patient": own, "_count": 1000})) == 120


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_lines_are_loaded_and_those_that_are_wrong_are_named(
    files: Files, api: httpx.Client, anna: str, pack: Callable[[bytes], bytes]
) -> None:
    good = weights(anna, 250)
    wrong = b'{"resourceType": "Observation", "status": "so-so"}\nnot json\n{"resourceType": "Elephant"}\n\n[]\n'
    job = files.ended(files.put("weights.ndjson", pack(lines(*good[:150]) + wrong + lines(*good[150:]))))
    assert (job["status"], job["counts"], job["errorCount"]) == ("completed", {"Observation": 250}, 4)
    assert [error["line"] for error in job["errors"]] == [151, 152, 153, 155]
    assert "Observation.status" in job["errors"][0]["text"]
    assert len(ids(api, "/fhir/Observation", {"patient": anna, "_count": 1000})) == 250


def test_the_same_file_again_makes_nothing_again(files: Files, api: httpx.Client, anna: str) -> None:
    content = lines(*weights(anna, 30))
    blob = files.put("weights.ndjson", content)
    first = files.ended(blob)
    files.container.upload_blob(blob, content, overwrite=True)
    deadline = time.monotonic() + LOAD_SECONDS
    while files.ended(blob)["id"] == first["id"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    second = files.ended(blob)
    assert second["counts"] == first["counts"] == {"Observation": 30}
    # The content came as a new version of the blob: lines that bring no id make new resources; those with an id do not.
    assert len(ids(api, "/fhir/Observation", {"patient": anna, "_count": 1000})) == 60
    own = [observation(anna, id=f"w-{uuid.uuid4().hex}") for _ in range(3)]
    for _ in range(2):
        assert files.ended(files.put("ids.ndjson", lines(*own)))["counts"] == {"Observation": 3}
    for one in own:
        assert api.get(f"/fhir/Observation/{one['id']}").headers["ETag"] == 'W/"1"'


def test_a_batch_file_loads_what_is_right_and_names_what_is_not(files: Files, api: httpx.Client, anna: str) -> None:
    bundle = batch(*(post(weight) for weight in weights(anna, 3)), post(observation(anna, status="so-so")))
    job = files.ended(files.put("batch.json", text(bundle)))
    assert (job["status"], job["counts"], job["errorCount"]) == ("completed", {"Observation": 3}, 1)
    assert job["errors"][0]["entry"] == 3
    assert "Bundle.entry[3].resource.status" in job["errors"][0]["text"]


JUNK = {
    "an empty file": b"",
    "no JSON": b"once upon a time",
    "a picture": bytes(range(256)) * 20,
    "half a bundle": text(transaction(post(observation("nobody"))))[:-20],
    "half a gzip": gzip.compress(text(batch(post(observation("nobody")))))[:-30],
    "a bomb": gzip.compress(b" " * 50_000_000),
    "a patient in one line": text(patient()),
    "a collection": text({"resourceType": "Bundle", "type": "collection"}),
    "a reference to nothing": text(transaction(post(observation("nobody")))),
    "a stale version": text(transaction(put(patient(id="nobody"), 'W/"3"'))),
}


def test_junk_fails_with_a_reason_and_stores_nothing(files: Files, api: httpx.Client) -> None:
    blobs = {name: files.put(f"{name}.json", content) for name, content in JUNK.items()}
    for name, blob in blobs.items():
        job = files.ended(blob)
        assert (job["status"], job["counts"]) == ("failed", {}), name
        assert job["errors"][0]["text"], name
    assert ids(api, "/fhir/Observation", {"patient": "nobody"}) == []


def test_a_long_file_is_loaded_line_by_line_with_a_checkpoint(files: Files, api: httpx.Client, anna: str) -> None:
    blob = files.put("long.ndjson", lines(*weights(anna, 1200)))
    seen = set()
    deadline = time.monotonic() + LOAD_SECONDS
    while (job := files.state(blob))["status"] != "completed":
        assert time.monotonic() < deadline
        seen.add(job.get("done", 0))
        time.sleep(0.02)
    assert job["counts"] == {"Observation": 1200}
    assert len(seen) > 2, "its progress was not shown"
    found = [
        r["id"] for page in pages(api, "/fhir/Observation", {"patient": anna, "_count": 500}) for r in resources(page)
    ]
    assert len(set(found)) == len(found) == 1200


@pytest.mark.parametrize("name", ["not-there.json", "..", "../secrets", "a" * 1500, "\0", "ä/ö ü.json", "%2e%2e"])
def test_the_state_of_a_file_that_is_not_there_is_not_found(files: Files, name: str) -> None:
    issue(files.api.get("/load", params={"file": name}), 404)


def test_the_state_of_no_file_is_refused(api: httpx.Client) -> None:
    assert "file" in issue(api.get("/load"), 400)["diagnostics"]
