"""The admin routes: the host's state, its functions, and running one of them by hand."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from local.host.http_messages import Answer, empty
from local.host.index import Function, HttpTrigger
from local.host.keys import Keys

HOST_VERSION = "4.0.0"
RunNow = Callable[[str], Awaitable[None]]


class Admin:
    """Answers `/admin/…`; all of it but ping needs the master key.

    run_now  function name in lower case → what runs it with an input text
    """

    def __init__(self, functions: Sequence[Function], keys: Keys, host_id: str, base_url: str) -> None:
        self._functions = {function.name.lower(): function for function in functions}
        self._keys, self._host_id, self._base_url = keys, host_id, base_url
        self._started = time.monotonic()
        self._tasks: set[asyncio.Task[None]] = set()
        self.run_now: Mapping[str, RunNow] = {}
        self.state = "Starting"

    async def answer(self, method: str, path: str, key: str | None, body: bytes) -> Answer:
        """The answer to `method` on `path`."""
        route = path.lower().strip("/").split("/")[1:]
        if route == ["host", "ping"] and method in ("GET", "POST"):
            return empty(200)
        if not self._keys.open_admin(key):
            return empty(401)
        function = self._functions.get(route[1]) if len(route) > 1 and route[0] == "functions" else None
        match route, method, function:
            case ["host", "status"], "GET", _:
                answer = _json(self._status())
            case ["functions"], "GET", _:
                answer = _json([self._description(each) for each in self._functions.values()])
            case ["functions", _], "GET", Function():
                answer = _json(self._description(function))
            case ["functions", _], "POST", Function():
                answer = self._begin(function, body)
            case ["functions", _, "status"], "GET", Function():
                answer = _json({})
            case _:
                answer = empty(404)
        return answer

    async def ended(self, within_seconds: float) -> None:
        """Wait for what was begun by hand; interrupt what takes longer."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=within_seconds)
            for task in late:
                task.cancel()

    def _begin(self, function: Function, body: bytes) -> Answer:
        try:
            content = json.loads(body)
        except ValueError:
            return empty(400)
        run = self.run_now.get(function.name.lower())
        if not isinstance(content, dict) or run is None:
            return empty(400)
        given = content.get("input", "")
        task = asyncio.ensure_future(run(given if isinstance(given, str) else json.dumps(given)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return empty(202)

    def _status(self) -> dict[str, Any]:
        return {
            "id": self._host_id,
            "state": self.state,
            "version": HOST_VERSION,
            "versionDetails": HOST_VERSION,
            "platformVersion": "",
            "instanceId": self._host_id,
            "computerName": "",
            "processUptime": round((time.monotonic() - self._started) * 1000),
            "errors": [],
        }

    def _description(self, function: Function) -> dict[str, Any]:
        trigger = function.trigger
        template = trigger.route.template if isinstance(trigger, HttpTrigger) else None
        return {
            "name": function.name,
            "href": f"{self._base_url}/admin/functions/{function.name}",
            "invoke_url_template": f"{self._base_url}/{template}" if template is not None else None,
            "language": "python",
            "config": {"name": function.name, "bindings": list(function.bindings)},
            "isDisabled": function.disabled,
        }


def _json(content: Any) -> Answer:
    return Answer(200, [("content-type", "application/json; charset=utf-8")], json.dumps(content).encode())
