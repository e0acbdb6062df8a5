"""Files are loaded once: whoever is told of them how often, and whatever dies when."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from azure.cosmos.aio import CosmosClient

from shared_code import errors
from shared_code.fhir import Resource
from shared_code.identity import Caller
from shared_code.loading import BundleLoader, File, FileLoader, Jobs, Result, job_id
from shared_code.loading import files as files_module
from shared_code.loading.jobs import GIVEN_UP, Job
from shared_code.records import RecordStore, read_query
from tests.builders import observation, patient, system
from tests.shared_code.loading.conftest import BASE, Loading, loader_on
from tests.shared_code.records.deaths import Death, DyingTransport, store_of
from tests.system.fhir_answers import batch, post, put, transaction

if TYPE_CHECKING:
    from azure.cosmos.aio import DatabaseProxy

    from tests.conftest import CosmosAccount

LEASE_SECONDS = 60


def lines(patient_id: str, count: int) -> bytes:
    weights = (observation(patient_id, issued=f"2026-03-01T08:{n // 60:02d}:{n % 60:02d}Z") for n in range(count))
    return b"".join(json.dumps(weight).encode() + b"\n" for weight in weights)


def text(bundle: Resource) -> bytes:
    return json.dumps(bundle).encode()


async def stored(store: RecordStore, patient_id: str) -> int:
    """How many Observations the person has, each in its first version."""
    page = await store.search(system(), read_query("Observation", [("patient", patient_id), ("_count", "1000")]))
    assert {version.version for version in page.resources} <= {1}
    return len(page.resources)


async def job_of(loading: Loading, file: File) -> dict[str, Any]:
    return await loading.jobs.shown(file.container, file.name, file.etag)


async def test_a_file_is_loaded_and_its_job_says_what_it_made(loading: Loading) -> None:
    file = await loading.put("a.ndjson", lines("anna", 250))
    assert (await job_of(loading, file))["status"] == "queued"
    await loading.files.load(file, "message-1")
    job = await job_of(loading, file)
    assert (job["status"], job["counts"], job["done"]) == ("completed", {"Observation": 250}, 250)
    assert await stored(loading.store, "anna") == 250


@pytest.mark.parametrize("content", ["lines", "transaction", "batch"])
async def test_the_same_event_again_makes_nothing_again(loading: Loading, content: str) -> None:
    bundles = {"transaction": transaction, "batch": batch}
    entries = [put(patient(id="anna")), *(post(observation("anna")) for _ in range(5))]
    file = await loading.put(
        "a.ndjson" if content == "lines" else "a.json",
        lines("anna", 5) if content == "lines" else text(bundles[content](*entries)),
    )
    for message in ("message-1", "message-1", "message-2"):
        await loading.files.load(file, message)
    assert await stored(loading.store, "anna") == 5


async def test_the_same_event_twice_at_once_is_loaded_by_one(loading: Loading) -> None:
    file = await loading.put("a.ndjson", lines("anna", 250))
    await asyncio.gather(*(loading.files.load(file, f"message-{n}") for n in range(4)))
    job = await job_of(loading, file)
    assert (job["status"], job["counts"]) == ("completed", {"Observation": 250})
    assert await stored(loading.store, "anna") == 250


async def test_one_message_delivered_twice_at_once_makes_nothing_twice(loading: Loading) -> None:
    file = await loading.put("a.ndjson", lines("anna", 250))
    results = await asyncio.gather(*(loading.files.load(file, "message-1") for _ in range(3)), return_exceptions=True)
    assert {type(result) for result in results} <= {type(None), errors.Conflict}
    await loading.files.load(file, "message-1")
    job = await job_of(loading, file)
    assert (job["status"], job["counts"]) == ("completed", {"Observation": 250})
    assert await stored(loading.store, "anna") == 250


def contents(patient_id: str) -> dict[str, tuple[str, bytes]]:
    entries = [put(patient(id=patient_id)), *(post(observation(patient_id)) for _ in range(119))]
    return {
        "lines": ("a.ndjson", lines(patient_id, 230)),
        "a transaction": ("a.json", text(transaction(*entries))),
        "a batch": ("a.json.gz", gzip.compress(text(batch(*entries[:8])))),
    }


EXPECTED = {
    "lines": {"Observation": 230},
    "a transaction": {"Patient": 1, "Observation": 119},
    "a batch": {"Patient": 1, "Observation": 7},
}


@pytest.mark.parametrize("after", [False, True], ids=["before it is sent", "after it is done"])
@pytest.mark.parametrize("kind", EXPECTED)
async def test_a_death_at_any_write_is_made_good_when_the_message_comes_again(
    cosmos: CosmosAccount, database: DatabaseProxy, loading: Loading, kind: str, after: bool
) -> None:
    deaths = 0
    for write in range(1, 60):
        person = f"person-{write}"
        name, content = contents(person)[kind]
        file = await loading.put(f"{write}/{name}", content)
        transport = DyingTransport(write, after=after)
        await load_until_death(cosmos, database, transport, loading, file)
        if kind == "a transaction":  # by then, what the dead one has marked is free again
            loading.clock.forward(LEASE_SECONDS + 1)
            await loading.store.transactions.sweep()
        await loading.files.load(file, "message-1")
        job = await job_of(loading, file)
        assert (job["status"], job["counts"], job["errors"]) == ("completed", EXPECTED[kind], []), f"write {write}"
        assert await stored(loading.store, person) == EXPECTED[kind]["Observation"], f"write {write}"
        if not transport.dead:
            break
        deaths += 1
    assert deaths > 3
    assert not transport.dead


async def load_until_death(
    cosmos: CosmosAccount, database: DatabaseProxy, transport: DyingTransport, loading: Loading, file: File
) -> None:
    """Load as a process does that dies at a write, of records or of its job."""
    async with CosmosClient(cosmos.endpoint, credential=cosmos.key, transport=transport) as client:
        dying = client.get_database_client(database.id)
        store = store_of(dying, loading.clock)
        try:
            await loader_on(dying, store, loading.blobs, loading.clock).load(file, "message-1")
            await store.transactions.quiet()
        except Death:
            assert transport.dead


async def test_another_runner_takes_over_when_the_first_has_been_silent_for_long(
    cosmos: CosmosAccount, database: DatabaseProxy, loading: Loading
) -> None:
    file = await loading.put("a.ndjson", lines("anna", 230))
    transport = DyingTransport(2, after=True)
    await load_until_death(cosmos, database, transport, loading, file)
    await loading.files.load(file, "message-2")
    assert (await job_of(loading, file))["status"] == "running"
    loading.clock.forward(LEASE_SECONDS + 1)
    await loading.files.load(file, "message-2")
    assert (await job_of(loading, file))["counts"] == {"Observation": 230}
    assert await stored(loading.store, "anna") == 230


async def test_a_runner_that_lost_its_job_stops(loading: Loading) -> None:
    file = await loading.put("a.ndjson", lines("anna", 5))
    slow = await loading.jobs.begin(file.container, file.name, file.etag, "message-1")
    assert slow is not None
    loading.clock.forward(LEASE_SECONDS + 1)
    await loading.files.load(file, "message-2")
    with pytest.raises(errors.Conflict, match="taken over"):
        await slow.save(3)
    assert (await job_of(loading, file))["status"] == "completed"


async def test_a_file_that_was_replaced_meanwhile_is_loaded_as_what_it_is_now(loading: Loading) -> None:
    old = await loading.put("a.ndjson", lines("anna", 5))
    new = await loading.put("a.ndjson", lines("bert", 3))
    await loading.files.load(old, "message-1")
    await loading.files.load(new, "message-2")
    assert (await job_of(loading, old))["status"] == "failed"
    assert "replaced" in (await job_of(loading, old))["errors"][0]["text"]
    assert (await job_of(loading, new))["status"] == "completed"
    assert [await stored(loading.store, who) for who in ("anna", "bert")] == [0, 3]
    state = await loading.files.state(loading.container, "a.ndjson")
    assert state["id"] == (await job_of(loading, new))["id"]


async def test_a_file_that_was_removed_fails_and_has_no_state(loading: Loading) -> None:
    file = await loading.put("a.ndjson", lines("anna", 5))
    await loading.blobs.get_blob_client(loading.container, "a.ndjson").delete_blob()
    await loading.files.load(file, "message-1")
    assert (await job_of(loading, file))["status"] == "failed"
    with pytest.raises(errors.NotFound):
        await loading.files.state(loading.container, "a.ndjson")


async def test_files_that_cannot_be_reached_are_tried_again_and_at_last_given_up(
    database: DatabaseProxy, loading: Loading
) -> None:
    from azure.storage.blob.aio import BlobServiceClient

    file = await loading.put("a.ndjson", lines("anna", 5))
    nowhere = "http://127.0.0.1:1/devstoreaccount1"
    async with BlobServiceClient(nowhere, credential="a2V5", retry_total=0) as away:
        files = loader_on(database, loading.store, away, loading.clock)
        with pytest.raises(errors.Busy):
            await files.state(file.container, file.name)
        with pytest.raises(errors.Busy):
            await files.load(file, "message-1")
        assert (await job_of(loading, file))["status"] == "running"
        with pytest.raises(errors.Busy):
            await files.load(file, "message-1", last_try=True)
    job = await job_of(loading, file)
    assert (job["status"], job["errorCount"]) == ("failed", 1)


async def test_a_fault_of_the_server_is_tried_again_and_at_last_said(database: DatabaseProxy, loading: Loading) -> None:
    class Faulty(BundleLoader):
        """Has a bug."""

        async def carry_out(self, caller: Caller, bundle: Resource, seed: str | None = None) -> list[Result]:
            raise KeyError("Anna Peeters")

    jobs = Jobs(database.get_container_client("jobs"), loading.clock)
    files = FileLoader(loading.blobs, jobs, loading.store, Faulty(loading.store, BASE))
    file = await loading.put("a.json", text(transaction(post(observation("anna")))))
    for last_try, status in ((False, "running"), (True, "failed")):
        with pytest.raises(KeyError):
            await files.load(file, "message-1", last_try=last_try)
        assert (await job_of(loading, file))["status"] == status
    (error,) = (await job_of(loading, file))["errors"]
    assert error == {"text": "the server failed; the fault is in its log"}


async def test_a_fault_of_the_server_in_one_entry_of_a_batch_is_tried_again(
    loading: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(*_: Any, **__: Any) -> Any:
        raise KeyError("Anna Peeters")

    file = await loading.put("a.json", text(batch(put(patient(id="anna")), post(observation("anna")))))
    with monkeypatch.context() as during:
        during.setattr(loading.store, "transact", failing)
        with pytest.raises(KeyError):
            await loading.files.load(file, "message-1")
    assert (await job_of(loading, file))["status"] == "running"
    await loading.files.load(file, "message-1")
    assert (await job_of(loading, file))["counts"] == {"Patient": 1, "Observation": 1}


async def test_two_lines_with_one_resource_count_in_their_order(loading: Loading) -> None:
    first, last = observation("anna", id="w"), observation("anna", id="w", status="amended")
    other = json.dumps(observation("bert")).encode()
    file = await loading.put("a.ndjson", text(first) + b"\n" + other + b"\n" + text(last))
    await loading.files.load(file, "message-1")
    assert (await job_of(loading, file))["counts"] == {"Observation": 3}
    version = await loading.store.read(system(), "Observation", "w")
    assert (version.version, '"amended"' in str(version.text)) == (2, True)


async def test_a_line_that_cannot_be_stored_keeps_back_no_other(loading: Loading) -> None:
    large = observation("anna", note=[{"text": "x" * 900_000}, {"text": "y" * 700_000}])
    elsewhere = observation("anna", id=f"{'a' * 20}-{'0' * 26}")
    wrong = [large, elsewhere, observation("anna", id="a_b")]
    content = lines("anna", 3) + b"".join(text(one) + b"\n" for one in wrong) + lines("anna", 3)
    file = await loading.put("a.ndjson", content)
    await loading.files.load(file, "message-1")
    job = await job_of(loading, file)
    assert (job["status"], job["counts"], job["errorCount"]) == ("completed", {"Observation": 6}, 3)
    assert sorted(error["line"] for error in job["errors"]) == [4, 5, 6]


async def test_a_line_whose_type_is_no_string_keeps_back_no_other(loading: Loading) -> None:
    wrong = [{"resourceType": kind} for kind in (["Observation"], {"x": 1}, 5, None)]
    content = b"".join(text(one) + b"\n" for one in wrong) + lines("anna", 3)
    file = await loading.put("a.ndjson", content)
    await loading.files.load(file, "message-1")
    job = await job_of(loading, file)
    assert (job["status"], job["counts"], job["errorCount"]) == ("completed", {"Observation": 3}, 4)


async def test_many_errors_are_counted_and_the_first_are_listed(loading: Loading) -> None:
    file = await loading.put("a.ndjson", b"junk\n" * 700)
    await loading.files.load(file, "message-1")
    job = await job_of(loading, file)
    assert (job["status"], job["errorCount"], len(job["errors"])) == ("completed", 700, 500)


def test_a_job_is_named_by_the_file_and_its_content_however_the_etag_is_written() -> None:
    assert job_id("bundles", "a.json", '"0x1"') == job_id("bundles", "a.json", "0x1")
    others = {job_id("bundles", "a.json", "0x2"), job_id("bundles", "b.json", "0x1"), job_id("others", "a.json", "0x1")}
    assert len(others | {job_id("bundles", "a.json", "0x1")}) == 4


@pytest.mark.parametrize("name", ["../other/a.json", "a/../../other/a.json", "./a.json", "..\\other\\a.json"])
async def test_a_name_does_not_lead_out_of_the_container(loading: Loading, name: str) -> None:
    with pytest.raises(errors.NotFound):
        await loading.files.state(loading.container, name)
    file = File(loading.container, name, "etag")
    await loading.files.load(file, "message-1")
    assert (await job_of(loading, file))["status"] == "failed"


async def test_a_job_whose_workers_died_again_and_again_is_shown_as_failed(
    cosmos: CosmosAccount, database: DatabaseProxy, loading: Loading
) -> None:
    file = await loading.put("a.ndjson", lines("anna", 230))
    await load_until_death(cosmos, database, DyingTransport(2, after=True), loading, file)
    assert (await loading.files.state(file.container, file.name))["status"] == "running"
    loading.clock.forward(LEASE_SECONDS + GIVEN_UP.total_seconds() + 1)
    state = await loading.files.state(file.container, file.name)
    assert state["status"] == "failed"
    assert "send the file once more" in state["errors"][-1]["text"]
    await loading.files.load(file, "message-2")
    assert (await loading.files.state(file.container, file.name))["status"] == "completed"


async def test_a_load_outlives_a_renewal_of_its_lease_that_was_refused(
    database: DatabaseProxy, loading: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_module, "LEASE_SECONDS", 0.06)

    class Slow(BundleLoader):
        """Takes longer than a few renewals."""

        async def carry_out(self, caller: Caller, bundle: Resource, seed: str | None = None) -> list[Result]:
            results = await super().carry_out(caller, bundle, seed)
            await asyncio.sleep(0.2)
            return results

    class Throttled(Jobs):
        """Refuses what renews a lease, not what ends a job."""

        refused = 0

        async def replace(self, job: Job, *, running: bool) -> None:
            if running:
                self.refused += 1
                raise errors.Throttled("too many requests")
            await super().replace(job, running=running)

    jobs = Throttled(database.get_container_client("jobs"), loading.clock)
    files = FileLoader(loading.blobs, jobs, loading.store, Slow(loading.store, BASE))
    file = await loading.put("a.json", text(transaction(put(patient(id="anna")), post(observation("anna")))))
    await files.load(file, "message-1")
    assert jobs.refused > 2
    assert (await job_of(loading, file))["status"] == "completed"
    assert await stored(loading.store, "anna") == 1
