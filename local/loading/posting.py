"""One transaction or batch bundle by POST, with the waits that the server asks for."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx

from local.loading.report import Failure, Report

MOST_TRIES = 8
ASK_AGAIN = (409, 429, 503)  # the server has stored nothing and says when to come again
CONNECT_PAUSES_SECONDS = (0.5, 1, 2, 4, 8)
FHIR_JSON = "application/fhir+json"
HEADERS = {"Content-Type": FHIR_JSON, "Accept": FHIR_JSON}


async def post_bundle(client: httpx.AsyncClient, url: str, name: str, text: bytes) -> Report:
    """Send the bundle `text` to `url`; what was stored and what was refused."""
    try:
        bundle = json.loads(text)
    except ValueError as error:
        return Report(failures=[Failure(name, "", f"not JSON: {error}")])
    kind = bundle.get("type") if isinstance(bundle, dict) and bundle.get("resourceType") == "Bundle" else None
    if kind not in ("transaction", "batch"):
        return Report(failures=[Failure(name, "", "not a Bundle of type transaction or batch")])
    try:
        answer = await _sent(client, url, text)
    except httpx.TransportError as error:
        return Report(failures=[Failure(name, "", f"no answer: {error!r}")])
    if answer.status_code != 200:
        return Report(failures=failures_of(name, answer.status_code, _json(answer)))
    return _outcome(name, bundle.get("entry") or [], _json(answer))


async def _sent(client: httpx.AsyncClient, url: str, text: bytes) -> httpx.Response:
    """The answer; asked for again where the server asks for that, or where nothing has been sent yet."""
    for tried in range(1, MOST_TRIES + 1):
        answer = await _answered(client, url, text)
        if answer.status_code not in ASK_AGAIN or "retry-after" not in answer.headers or tried == MOST_TRIES:
            break
        wait = answer.headers["retry-after"]
        await asyncio.sleep(min(int(wait), 30) if wait.isdecimal() else 1)
    return answer


async def _answered(client: httpx.AsyncClient, url: str, text: bytes) -> httpx.Response:
    """The answer to one try. A server that takes no connection is waited for a while: it may be starting again."""
    for pause in CONNECT_PAUSES_SECONDS:
        try:
            return await client.post(url, content=text, headers=HEADERS)
        except httpx.ConnectError:
            await asyncio.sleep(pause)
    return await client.post(url, content=text, headers=HEADERS)


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return answer.text


def _outcome(name: str, entries: list[dict[str, Any]], answer: Any) -> Report:
    """Entry by entry: those of a batch fail one by one."""
    report = Report()
    answered = answer.get("entry") or []
    for number, (entry, result) in enumerate(zip(entries, answered, strict=False)):
        response = result.get("response") or {}
        status = int(str(response.get("status", "0"))[:3])
        if 200 <= status < 400:
            report.stored[_type_of(entry)] += 1
        else:
            found = failures_of(name, status, response.get("outcome"))
            report.failures += [Failure(one.file, one.where or f"Bundle.entry[{number}]", one.text) for one in found]
    if len(answered) != len(entries):
        report.failures.append(Failure(name, "", f"{len(entries)} entries were answered by {len(answered)}"))
    return report


def _type_of(entry: dict[str, Any]) -> str:
    resource = entry.get("resource") or {}
    return str(resource.get("resourceType") or str((entry.get("request") or {}).get("url", "")).split("/")[0])


def failures_of(name: str, status: int, outcome: Any) -> list[Failure]:
    """One failure per issue of an OperationOutcome, with where it points to."""
    issues = outcome.get("issue") if isinstance(outcome, dict) else None
    if not issues:
        return [Failure(name, "", f"{status} {str(outcome)[:300]}")]
    return [
        Failure(
            name,
            ", ".join(issue.get("expression") or []),
            f"{status} {issue.get('diagnostics') or (issue.get('details') or {}).get('text') or issue.get('code')}",
        )
        for issue in issues
    ]
