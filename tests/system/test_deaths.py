"""`kill -9` of any part while a client writes: what was acknowledged stays, and no transaction is seen by half."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from azure.storage.blob import ContainerClient

from local.stack.served import ServedStack
from shared_code.fhir import Resource
from tests.builders import observation, patient
from tests.system.fhir_answers import pages, post, resources, transaction

CODES = "http://example.org/codes"
ENTRIES = 140  # above what one batch of the store takes
ACKNOWLEDGED = 12  # writes before the kill
AGAIN_SECONDS = 40
FILE_SECONDS = 120  # a message whose reader died comes again after the queue's visibility timeout
PEOPLE = ("anna", "bert")


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedStack]:
    """A stack of this module's own, since it is killed."""
    with ServedStack(tmp_path_factory.mktemp("fragile")) as served:
        yield served


@pytest.fixture(scope="module")
def old_token(fragile: ServedStack) -> str:
    """A token from before any kill."""
    return fragile.token(system=True)


@pytest.fixture
def client(fragile: ServedStack, old_token: str) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {old_token}"}
    with httpx.Client(base_url=f"{fragile.url}/api", headers=headers, trust_env=False, timeout=30) as client:
        for own in PEOPLE:
            assert client.put(f"/fhir/Patient/{own}", json=patient(id=own)).is_success
        yield client


def coded(patient_id: str, code: str) -> Resource:
    return observation(patient_id, code={"coding": [{"system": CODES, "code": code}]})


@dataclass
class Writers:
    """Threads that write until they are told to stop; an answer that does not come, or a 5xx, promises nothing."""

    client: httpx.Client
    singles: dict[str, Resource] = field(default_factory=dict)  # acknowledged, by address
    versions: dict[str, Resource] = field(default_factory=dict)  # acknowledged, by address with version
    bundles: set[str] = field(default_factory=set)  # the codes of those acknowledged
    tried: set[str] = field(default_factory=set)  # the codes of all
    faults: list[BaseException] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    @property
    def acknowledged(self) -> int:
        return len(self.singles) + len(self.versions) + len(self.bundles)

    def _answer(self, method: str, address: str, body: Resource, **headers: str) -> httpx.Response | None:
        try:
            answer = self.client.request(method, address, json=body, headers=headers)
        except httpx.TransportError:
            return None
        assert answer.is_success or answer.status_code in (409, 412, 429, 500, 502, 503), answer.text
        return answer if answer.is_success else None

    def create(self) -> None:
        if answer := self._answer("POST", "/fhir/Observation", coded("anna", uuid.uuid4().hex)):
            self.singles[f"/fhir/Observation/{answer.json()['id']}"] = answer.json()

    def update(self) -> None:
        """Read, change, write back the same resource under its ETag."""
        try:
            current = self.client.get("/fhir/Observation/counter")
        except httpx.TransportError:
            return
        if current.status_code not in (200, 404):
            return
        edited = coded("bert", uuid.uuid4().hex) | {"id": "counter"}
        condition = {"If-Match": current.headers["ETag"]} if current.status_code == 200 else {}
        if answer := self._answer("PUT", "/fhir/Observation/counter", edited, **condition):
            stored = answer.json()
            self.versions[f"/fhir/Observation/counter/_history/{stored['meta']['versionId']}"] = stored

    def load(self) -> None:
        """A transaction over two people."""
        code = uuid.uuid4().hex
        self.tried.add(code)
        entries = [
            post(coded(PEOPLE[n % 2], code) | {"issued": f"2026-03-01T08:00:00.{n:03d}Z"}) for n in range(ENTRIES)
        ]
        if self._answer("POST", "/fhir", transaction(*entries)):
            self.bundles.add(code)

    def look(self) -> None:
        """See one of the transactions, as it is now, on one page of one person."""
        for code in list(self.tried)[-2:]:
            try:
                count = seen_of(self.client, PEOPLE[0], code)
            except (httpx.TransportError, Unanswered):
                continue
            assert count in (0, ENTRIES // 2), f"half a transaction is seen: {count}"

    def run(self, write: Callable[[], None]) -> None:
        """Write again and again; after a failure with a short wait."""
        while not self._ended.is_set():
            before = self.acknowledged
            try:
                write()
            except BaseException as fault:
                self.faults.append(fault)
                return
            if self.acknowledged == before:
                self._ended.wait(0.05)

    def until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + AGAIN_SECONDS
        while not holds():
            assert not self.faults, self.faults
            assert time.monotonic() < deadline, f"{self.acknowledged} writes were acknowledged, and no more come"
            time.sleep(0.01)

    def __enter__(self) -> Writers:
        self._threads = [
            threading.Thread(target=self.run, args=(write,))
            for write in (self.create, self.create, self.update, self.load, self.load, self.look)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()


class Unanswered(Exception):
    """The app said that it cannot answer now."""


def seen_of(client: httpx.Client, patient_id: str, code: str) -> int:
    """How many of a transaction's resources a page of a person's search has."""
    params: dict[str, str | int] = {"patient": patient_id, "code": f"{CODES}|{code}", "_count": 1000}
    answer = client.get("/fhir/Observation", params=params)
    if answer.status_code == 503:
        raise Unanswered
    assert answer.status_code == 200, answer.text
    return len(resources(answer.json()))


def hold_against_what_was_promised(client: httpx.Client, writers: Writers) -> None:
    for address, stored in (writers.singles | writers.versions).items():
        answer = client.get(address)
        assert answer.status_code == 200, f"acknowledged and lost: {address}: {answer.text}"
        assert answer.json() == stored
    for code in writers.tried:
        counts = {seen_of(client, patient_id, code) for patient_id in PEOPLE}
        assert counts in ({0}, {ENTRIES // 2}), f"half a transaction is seen: {counts}"
        assert counts == {ENTRIES // 2} or code not in writers.bundles, "acknowledged and lost"
    history = [
        int(r["meta"]["versionId"])
        for page in pages(client, "/fhir/Observation/counter/_history", {"_count": 1000})
        for r in resources(page)
    ]
    assert history == list(range(len(history), 0, -1))


@pytest.mark.parametrize("part", ["functions", "cosmos"])
def test_a_part_is_killed_while_a_client_writes(fragile: ServedStack, client: httpx.Client, part: str) -> None:
    with Writers(client) as writers:
        writers.until(lambda: writers.acknowledged >= ACKNOWLEDGED and len(writers.bundles) > 1)
        fragile.kill_and_wait(part)
        hold = writers.acknowledged, len(writers.bundles)
        writers.until(lambda: writers.acknowledged > hold[0] + ACKNOWLEDGED and len(writers.bundles) > hold[1])
    assert not writers.faults, writers.faults
    hold_against_what_was_promised(client, writers)


def test_everything_is_killed_while_a_client_writes(fragile: ServedStack, client: httpx.Client) -> None:
    with Writers(client) as writers:
        writers.until(lambda: writers.acknowledged >= ACKNOWLEDGED and len(writers.bundles) > 1)
        fragile.kill_everything()
    assert not writers.faults, writers.faults
    fragile.start()
    hold_against_what_was_promised(client, writers)


def test_a_file_whose_load_is_killed_is_loaded_to_its_end_and_once(fragile: ServedStack, client: httpx.Client) -> None:
    code, lines = uuid.uuid4().hex, 1500
    content = "\n".join(
        json.dumps(coded("anna", code) | {"issued": f"2026-03-01T08:{n // 60:02d}:{n % 60:02d}Z"}) for n in range(lines)
    )
    name = f"{code}.ndjson"
    connection = fragile.services["azurite"]["connectionString"]
    with ContainerClient.from_connection_string(connection, "bundles") as container:
        container.upload_blob(name, content)
    job = followed(client, name, lambda job: job.get("done", 0) > 0)
    assert job["done"] < lines, "it was loaded before it could be killed"
    fragile.kill_everything()
    fragile.start()
    job = followed(client, name, lambda job: job["status"] in ("completed", "failed"))
    assert (job["status"], job["counts"], job["errors"]) == ("completed", {"Observation": lines}, [])
    params: dict[str, str | int] = {"patient": "anna", "code": f"{CODES}|{code}", "_total": "accurate", "_count": 1}
    assert client.get("/fhir/Observation", params=params).json()["total"] == lines


def followed(client: httpx.Client, name: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The job of a file once it is as wanted."""
    deadline = time.monotonic() + FILE_SECONDS
    while True:
        job: dict[str, Any] = client.get("/load", params={"file": name}).json()
        if holds(job):
            return job
        assert time.monotonic() < deadline, f"{name}: {job}"
        time.sleep(0.01)


def test_tokens_from_before_still_open_what_they_opened(fragile: ServedStack, client: httpx.Client) -> None:
    fragile.kill_and_wait("services")
    assert client.get("/fhir/Patient/anna").status_code == 200
    fragile.kill_and_wait("functions")
    assert client.get("/fhir/Patient/anna").status_code == 200


def test_an_app_that_cannot_reach_its_store_says_so(fragile: ServedStack, client: httpx.Client) -> None:
    seen = set()
    fragile.kill("cosmos")
    deadline = time.monotonic() + AGAIN_SECONDS
    while (answer := client.get("/fhir/Patient/anna")).status_code != 200:
        seen.add((answer.status_code, answer.headers.get("Retry-After") is not None))
        assert answer.json()["resourceType"] == "OperationOutcome"
        assert time.monotonic() < deadline
    assert seen <= {(503, True)}
