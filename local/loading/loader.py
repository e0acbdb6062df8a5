"""Loads many sources side by side: care givers first, each by the way that suits its size."""

from __future__ import annotations

import asyncio
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import httpx
from azure.core.exceptions import AzureError
from azure.storage.blob.aio import ContainerClient

from local.loading.dropping import drop_file
from local.loading.posting import post_bundle
from local.loading.report import Failure, Report
from local.loading.sources import Source
from local.services.event_grid import CONTAINER

MOST_BYTES_BY_POST = 50 * 1024 * 1024
TIMEOUT_SECONDS = 240  # a little above what Azure's load balancer allows


@dataclass(frozen=True, slots=True)
class Target:
    """The app to load into.

    url      of the functions host
    token    of a system that may write everything
    storage  connection string of its storage account
    """

    url: str
    token: str
    storage: str


async def load(
    sources: Iterable[Source], target: Target, concurrency: int, progress: Callable[[Source, Report], None]
) -> Report:
    """Load everything; `progress` is told of each source that has ended."""
    total = Report()
    at_once = asyncio.Semaphore(concurrency)
    headers = {"Authorization": f"Bearer {target.token}"}
    async with (
        httpx.AsyncClient(headers=headers, timeout=TIMEOUT_SECONDS, trust_env=False) as client,
        ContainerClient.from_connection_string(target.storage, CONTAINER) as container,
    ):

        async def one(source: Source) -> None:
            async with at_once:
                report = await _loaded(source, target, client, container)
            total.add(report)
            progress(source, report)

        listed = list(sources)
        for together in ([s for s in listed if s.is_first], [s for s in listed if not s.is_first]):
            async with asyncio.TaskGroup() as group:
                for source in together:
                    group.create_task(one(source))
    return total


async def _loaded(source: Source, target: Target, client: httpx.AsyncClient, container: ContainerClient) -> Report:
    """Load one; what goes wrong with it is its failure and stops no other."""
    try:
        return await _by_its_way(source, target, client, container)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        return Report(failures=[Failure(source.name, "", f"cannot be read: {error}")])
    except (httpx.HTTPError, AzureError) as error:
        return Report(failures=[Failure(source.name, "", f"could not be sent or followed: {error}")])


async def _by_its_way(source: Source, target: Target, client: httpx.AsyncClient, container: ContainerClient) -> Report:
    text = None if source.is_lines else source.text(MOST_BYTES_BY_POST)
    if text is not None:
        return await post_bundle(client, f"{target.url}/api/fhir", source.name, text)
    return await drop_file(container, client, f"{target.url}/api/load", source)
