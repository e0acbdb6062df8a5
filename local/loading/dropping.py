"""One file by way of the `bundles` container: the app loads what arrives there, and a job record says how far it is."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import httpx
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import ContentSettings
from azure.storage.blob.aio import ContainerClient

from local.loading.report import Failure, Report
from local.loading.sources import Source

POLL_SECONDS = 0.5
SILENCE_SECONDS = 300  # without any progress
ENDED = ("completed", "failed")


async def drop_file(container: ContainerClient, client: httpx.AsyncClient, url: str, source: Source) -> Report:
    """Put the file into the container, and follow its job to its end.

    url  of the app's job look-up, which takes the name of the blob as `file`
    """
    # The name is the content's: the same file again is the same blob, the same job, and nothing is loaded twice.
    blob = f"{source.digest()[:32]}/{source.file_name}"
    kind = "application/fhir+ndjson" if source.is_lines else "application/fhir+json"
    if source.file_name.lower().endswith(".gz"):
        kind = "application/gzip"
    # One that exists was put there before: its job is there, or comes.
    with source.open() as stream, contextlib.suppress(ResourceExistsError):
        await container.upload_blob(blob, stream, content_settings=ContentSettings(content_type=kind))
    return await _followed(client, url, blob, source.name)


async def _followed(client: httpx.AsyncClient, url: str, blob: str, name: str) -> Report:
    last: Any = None
    heard = time.monotonic()
    while True:
        job = await _job(client, url, blob)
        if job is not None and job.get("status") in ENDED:
            return report_of(name, job)
        if job != last:
            last, heard = job, time.monotonic()
        if time.monotonic() - heard > SILENCE_SECONDS:
            text = f"no progress for {SILENCE_SECONDS} s; the job is {job or 'not there'}"
            return Report(failures=[Failure(name, "", text)])
        await asyncio.sleep(POLL_SECONDS)


async def _job(client: httpx.AsyncClient, url: str, blob: str) -> dict[str, Any] | None:
    """The job record, None if there is none yet or the app is just not there."""
    try:
        answer = await client.get(url, params={"file": blob})
    except httpx.TransportError:
        return None
    if answer.status_code == 404 or answer.status_code >= 500:
        return None
    answer.raise_for_status()
    job: dict[str, Any] = answer.json()
    return job


def report_of(name: str, job: dict[str, Any]) -> Report:
    """The counts and errors of a job record; an error names its line or its entry beside its text."""
    report = Report()
    report.stored.update(job.get("counts") or {})
    errors = job.get("errors") or []
    for error in errors:
        where = ", ".join(f"{kind} {number}" for kind, number in error.items() if kind != "text")
        report.failures.append(Failure(name, where, str(error["text"])))
    unlisted = int(job.get("errorCount") or 0) - len(errors)
    if unlisted > 0:
        report.failures.append(Failure(name, "", f"{unlisted} further errors that the job does not list"))
    if job["status"] == "failed" and not report.failures:
        report.failures.append(Failure(name, "", "the job failed"))
    return report
