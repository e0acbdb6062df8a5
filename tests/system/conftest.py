"""Clients of the served app, by who speaks, and people who were in no test before."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.builders import patient

if TYPE_CHECKING:
    from local.stack.served import ServedStack

Speaks = Callable[..., httpx.Client]


@pytest.fixture(scope="session")
def speaks(stack: ServedStack) -> Iterator[Speaks]:
    """Makes a client with a token: speaks(system=True), speaks(patient="anna", scope="patient/*.rs")."""
    with ExitStack() as open_clients:

        def speaks(**whom: Any) -> httpx.Client:
            headers = {"Authorization": f"Bearer {stack.token(**whom)}"}
            client = httpx.Client(base_url=f"{stack.url}/api", headers=headers, trust_env=False, timeout=60)
            return open_clients.enter_context(client)

        yield speaks


@pytest.fixture(scope="session")
def api(speaks: Speaks) -> httpx.Client:
    """A client that speaks as a system which may do everything."""
    return speaks(system=True)


@pytest.fixture(scope="session")
def anonymous(stack: ServedStack) -> Iterator[httpx.Client]:
    """A client without a token."""
    with httpx.Client(base_url=f"{stack.url}/api", trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture
def new_person(api: httpx.Client) -> Callable[[], str]:
    """Makes people: each call gives the id of a new Patient."""

    def made() -> str:
        patient_id = f"person-{uuid.uuid4().hex[:10]}"
        assert api.put(f"/fhir/Patient/{patient_id}", json=patient(id=patient_id)).status_code == 201
        return patient_id

    return made


@pytest.fixture
def anna(new_person: Callable[[], str]) -> str:
    """The id of a new Patient."""
    return new_person()
