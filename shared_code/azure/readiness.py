"""Which of the services that the app stands on do not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

from shared_code import errors
from shared_code.azure.clients import blob_service, container
from shared_code.azure.cosmos import read_or_none

TIMEOUT_SECONDS = 5


async def unreachable() -> list[str]:
    """The names of the services that did not answer in time; none when all is well."""
    names = ("records", "files")
    answers = await asyncio.gather(*(_answers(check) for check in (_records(), _files())))
    return [name for name, answered in zip(names, answers, strict=True) if not answered]


async def _answers(check: Coroutine[None, None, None]) -> bool:
    from azure.core.exceptions import AzureError

    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await check
    except (TimeoutError, AzureError, errors.PortalError):
        return False
    return True


async def _records() -> None:
    await read_or_none(container("leases"), "readiness", "readiness")


async def _files() -> None:
    await blob_service().get_container_client("bundles").get_container_properties()
