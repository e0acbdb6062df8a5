"""Timer triggers: when they run, what they are told, and that of several hosts one runs them."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobClient, BlobLeaseClient, ContainerClient

from local.host.host import host_id
from local.host.schedule import parse_schedule
from local.host.shapes import Message
from local.host.timers import NEVER, ScheduleStatus, retry_delay_seconds, status_at_start, status_of
from tests.local.host.hosts import ANONYMOUS, PATIENCE_SECONDS, StartHost, write_app

DAILY = parse_schedule("0 0 0 * * *", "x")
YEARLY = "0 0 0 1 1 *"
TOLD = """
import json, logging
@app.timer_trigger(schedule="%s", arg_name="t"%s)
async def tick(t: func.TimerRequest) -> None:
    logging.info("ticked %%s", json.dumps({"past due": t.past_due, "status": t.schedule_status}))
"""


def day(number: int) -> datetime:
    return datetime(2026, 1, number, tzinfo=UTC)


def noon(number: int) -> datetime:
    return day(number) + timedelta(hours=12)


def test_the_first_start_stores_when_it_is_next_due() -> None:
    assert status_at_start(None, DAILY, noon(1)) == (ScheduleStatus(NEVER, day(2), noon(1)), False)


def test_a_run_that_was_missed_is_past_due_however_many_were() -> None:
    stored = ScheduleStatus(day(1), day(2), day(1))
    assert status_at_start(stored, DAILY, noon(5)) == (stored, True)


def test_a_stored_occurrence_to_come_is_waited_for() -> None:
    stored = ScheduleStatus(day(1), day(2), day(1))
    assert status_at_start(stored, DAILY, noon(1)) == (stored, False)


def test_before_the_first_run_what_is_due_counts_from_the_first_start() -> None:
    stored = ScheduleStatus(NEVER, day(2), noon(1))
    assert status_at_start(stored, DAILY, noon(3)) == (stored, True)


def test_a_changed_schedule_is_recomputed_and_never_past_due() -> None:
    stored = ScheduleStatus(day(1) + timedelta(hours=3), noon(1), noon(1))
    assert status_at_start(stored, DAILY, noon(3)) == (ScheduleStatus(NEVER, day(4), noon(3)), False)


def test_a_status_is_stored_as_the_host_writes_it() -> None:
    status = ScheduleStatus(NEVER, day(2), noon(1))
    stored = status.to_json()
    assert stored == {
        "Last": "0001-01-01T00:00:00",
        "Next": "2026-01-02T00:00:00+00:00",
        "LastUpdated": "2026-01-01T12:00:00+00:00",
    }
    assert status_of(json.dumps(stored).encode()) == status


def test_retries_wait_as_their_policy_says() -> None:
    fixed = Message(retry_strategy="fixed_delay", delay_interval=timedelta(seconds=7))
    assert [retry_delay_seconds(fixed, attempt) for attempt in range(3)] == [7, 7, 7]
    growing = Message(
        retry_strategy="exponential_backoff",
        minimum_interval=timedelta(seconds=2),
        maximum_interval=timedelta(seconds=5),
    )
    assert [retry_delay_seconds(growing, attempt) for attempt in range(3)] == [2, 4, 5]


def status_blob(app: Path, azurite: str) -> BlobClient:
    container = ContainerClient.from_connection_string(azurite, "azure-webjobs-hosts")
    if not container.exists():
        container.create_container()
    return container.get_blob_client(f"timers/{host_id(os.environ, app.resolve())}/Host.Functions.tick/status")


def test_a_missed_run_is_made_up_for_at_start(tmp_path: Path, azurite: str, start_host: StartHost) -> None:
    app = write_app(tmp_path, ANONYMOUS + TOLD % (YEARLY, ""))
    blob = status_blob(app, azurite)
    missed = ScheduleStatus(
        datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
    )
    blob.upload_blob(json.dumps(missed.to_json()))
    host = start_host(app, environ={"AzureWebJobsStorage": azurite})
    told = json.loads(host.logged("ticked").split("ticked ")[1])
    assert told == {"past due": True, "status": missed.to_json()}
    assert host.stop() == 0
    stored = status_of(blob.download_blob().readall())
    assert stored.next == parse_schedule(YEARLY, "x").after(datetime.now(UTC))
    assert stored.last.year >= 2026
    host = start_host(app, environ={"AzureWebJobsStorage": azurite})  # and now nothing is due
    httpx.get(f"{host.url}/")
    assert host.stop() == 0
    assert not [line for line in host.log if "ticked" in line]


def test_a_run_at_startup_is_told_its_schedule(tmp_path: Path, azurite: str, start_host: StartHost) -> None:
    app = write_app(tmp_path, ANONYMOUS + TOLD % (YEARLY, ", run_on_startup=True"))
    host = start_host(app, environ={"AzureWebJobsStorage": azurite})
    told = json.loads(host.logged("ticked").split("ticked ")[1])
    assert told["past due"] is False
    assert told["status"]["Last"] == "0001-01-01T00:00:00"


def test_a_timer_of_every_second_runs_every_second_without_a_status(
    tmp_path: Path, azurite: str, start_host: StartHost
) -> None:
    app = write_app(tmp_path, ANONYMOUS + TOLD % ("* * * * * *", ""))
    host = start_host(app, environ={"AzureWebJobsStorage": azurite})
    seconds = {host.logged("ticked", times)[17:19] for times in (1, 2)}
    assert len(seconds) == 2
    with pytest.raises(ResourceNotFoundError):
        status_blob(app, azurite).download_blob()


def test_a_timer_does_not_overlap_itself(tmp_path: Path, start_host: StartHost) -> None:
    code = """
import asyncio, logging
running = 0
@app.timer_trigger(schedule="* * * * * *", arg_name="t", use_monitor=False)
async def tick(t: func.TimerRequest) -> None:
    global running
    running += 1
    logging.info("running %s", running)
    await asyncio.sleep(1.2)
    running -= 1
    logging.info("ended")
"""
    host = start_host(write_app(tmp_path, ANONYMOUS + code), environ={"AzureWebJobsStorage": ""})
    host.logged("ended", 2)
    assert {line.split("running ")[1].strip() for line in host.log if "running " in line} == {"1"}
    ended = re.search(r"T\S+Z", host.logged("ended", 1))
    begun = re.search(r"T\S+Z", host.logged("running 1", 2))
    assert ended
    assert begun
    assert begun[0][:9] == ended[0][:9]  # the run that came due meanwhile follows at once


def test_a_failing_timer_is_tried_again_as_its_policy_says(tmp_path: Path, start_host: StartHost) -> None:
    code = """
import logging
@app.timer_trigger(schedule="0 0 0 1 1 *", arg_name="t", use_monitor=False, run_on_startup=True)
@app.retry(strategy="fixed_delay", max_retry_count="2", delay_interval="00:00:00")
async def tick(t: func.TimerRequest, context: func.Context) -> None:
    logging.info("try %s of %s", context.retry_context.retry_count, context.retry_context.max_retry_count)
    if context.retry_context.retry_count < 2:
        raise ValueError("not yet")
"""
    host = start_host(write_app(tmp_path, ANONYMOUS + code), environ={"AzureWebJobsStorage": ""})
    host.logged("Executed 'Functions.tick' (Succeeded")
    assert [line.split("try ")[1].strip() for line in host.log if "try " in line] == ["0 of 2", "1 of 2", "2 of 2"]


QUICK_LOCKS = {"AzureFunctionsJobHost__singleton__listenerLockRecoveryPollingInterval": "00:00:00.3"}


def test_of_two_hosts_one_runs_the_timer_and_the_other_takes_over(
    tmp_path: Path, azurite: str, start_host: StartHost
) -> None:
    app = write_app(tmp_path, ANONYMOUS + TOLD % ("* * * * * *", ""))
    environ = {"AzureWebJobsStorage": azurite, **QUICK_LOCKS}
    first = start_host(app, environ=environ)
    first.logged("ticked")
    second = start_host(app, environ=environ)
    first.logged("ticked", 3)
    assert first.stop() == 0
    second.logged("ticked")
    assert {line[:19] for line in second.log if "ticked" in line}.isdisjoint(
        {line[:19] for line in first.log if "ticked" in line}
    )


def test_a_host_whose_lock_is_taken_away_stops_its_timer_until_it_gets_it_back(
    tmp_path: Path, azurite: str, start_host: StartHost
) -> None:
    app = write_app(tmp_path, ANONYMOUS + TOLD % ("* * * * * *", ""))
    shortest = {"AzureFunctionsJobHost__singleton__listenerLockPeriod": "00:00:15"}
    host = start_host(app, environ={"AzureWebJobsStorage": azurite, **QUICK_LOCKS, **shortest})
    host.logged("ticked")
    name = f"locks/{host_id(os.environ, app.resolve())}/Host.Functions.tick.Listener"
    lease = BlobLeaseClient(BlobClient.from_connection_string(azurite, "azure-webjobs-hosts", name))
    lease.break_lease(lease_break_period=0)
    lease.acquire(lease_duration=-1)
    BlobClient.from_connection_string(azurite, "azure-webjobs-hosts", name).set_blob_metadata({}, lease=lease)
    host.logged("is lost")
    before = len([line for line in host.log if "ticked" in line])
    lease.release()
    host.logged("ticked", before + 1)


def test_after_a_kill_the_next_host_runs_the_timer_at_once(tmp_path: Path, azurite: str, start_host: StartHost) -> None:
    app = write_app(tmp_path, ANONYMOUS + TOLD % ("* * * * * *", ""))
    environ = {"AzureWebJobsStorage": azurite}
    first = start_host(app, environ=environ)
    first.logged("ticked")
    first.process.kill()
    first.process.wait(PATIENCE_SECONDS)
    start_host(app, environ=environ).logged("ticked")


def test_a_timer_can_be_run_by_hand(tmp_path: Path, azurite: str, start_host: StartHost) -> None:
    app = write_app(tmp_path, ANONYMOUS + TOLD % (YEARLY, ""))
    host = start_host(app, "--no-auth", environ={"AzureWebJobsStorage": azurite})
    url = f"{host.url}/admin/functions/tick"
    assert httpx.post(url, json={"input": ""}).status_code == 202
    assert json.loads(host.logged("ticked").split("ticked ")[1])["past due"] is False
    assert httpx.post(url).status_code == 400
    assert httpx.post(f"{host.url}/admin/functions/none", json={"input": ""}).status_code == 404
