"""Fixtures for the functions host: apps run by a host process of their own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.local.host.hosts import StartHost, running_host


@pytest.fixture
def start_host() -> Iterator[StartHost]:
    """Starts hosts that end with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda app, *arguments, environ=None: stack.enter_context(running_host(app, *arguments, environ=environ))


@pytest.fixture(scope="session")
def contract_host(pytestconfig: pytest.Config) -> Iterator[str]:
    """Address of a host that runs the contract app: our own, or the one that --host names."""
    given: str | None = pytestconfig.getoption("--host", default=None)
    if given:
        yield given.rstrip("/")
        return
    app = Path(__file__).parent / "contract_app"
    with running_host(app, "--settings", str(app / "local.settings.sample.json")) as host:
        yield host.url


@pytest.fixture(scope="session")
def contract(contract_host: str) -> Iterator[httpx.Client]:
    """A client of the contract app."""
    with httpx.Client(base_url=contract_host) as client:
        yield client
