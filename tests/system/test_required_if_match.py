"""Where the app is set so, a change has to say which version it is of."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from local.stack.served import ServedStack
from tests.builders import patient
from tests.system.fhir_answers import issue


@pytest.fixture
def strict(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """A system's client of an app that wants If-Match."""
    monkeypatch.setenv("REQUIRE_IF_MATCH", "true")
    with ServedStack(tmp_path_factory.mktemp("strict")) as served:
        headers = {"Authorization": f"Bearer {served.token(system=True)}"}
        with httpx.Client(base_url=f"{served.url}/api", headers=headers, trust_env=False, timeout=30) as client:
            yield client


def test_a_change_without_if_match_is_refused_and_one_with_it_is_not(strict: httpx.Client) -> None:
    own = strict.post("/fhir/Patient", json=patient()).json()["id"]
    address, changed = f"/fhir/Patient/{own}", patient(id=own, gender="female")
    for answer in (strict.put(address, json=changed), strict.delete(address)):
        assert "If-Match" in issue(answer, 412)["diagnostics"]
    assert strict.get(address).headers["ETag"] == 'W/"1"'
    answer = strict.put(address, json=changed, headers={"If-Match": 'W/"1"'})
    assert (answer.status_code, answer.headers["ETag"]) == (200, 'W/"2"')
    assert strict.delete(address, headers={"If-Match": 'W/"2"'}).status_code == 204


def test_what_is_not_there_yet_needs_no_if_match(strict: httpx.Client) -> None:
    answer = strict.put("/fhir/Patient/new", json=patient(id="new"))
    assert (answer.status_code, answer.headers["ETag"]) == (201, 'W/"1"')
    assert strict.put("/fhir/Patient/new", json=patient(id="new", gender="female")).status_code == 412
