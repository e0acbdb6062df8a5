"""The host put together: from the settings of one app to its listeners and its HTTP side, and down again in order."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import platform
import re
import socket
from collections.abc import Mapping
from pathlib import Path

from local.host.admin import Admin, RunNow
from local.host.cors import Cors
from local.host.http import HttpSide, Limits
from local.host.index import Function, HttpTrigger, QueueTrigger, TimerTrigger, read_index
from local.host.invocations import Invocations
from local.host.keys import PREFIX, Keys
from local.host.lateness import watch_lateness
from local.host.listeners import Listener, Listeners
from local.host.locks import CONTAINER
from local.host.queues import INVISIBLE_SECONDS, QueueListener
from local.host.settings import HostConfig, LocalSettings, number_setting
from local.host.storage import HOST_STORAGE, Connections
from local.host.timers import TimerListener
from local.host.worker import Worker
from local.http_server import HttpServer

GRACE_SECONDS = 10
LARGEST_BODY_BYTES = 104_857_600
KEEP_ALIVE_SECONDS = 120
QUEUE_INVISIBLE_SETTING = "LocalHost__queueInvisibleSeconds"
log = logging.getLogger("Host.Startup")


class Host:
    """One function app, running.

    app      its folder, which is the current directory and on the import path
    address  where it is reached, e.g. http://127.0.0.1:7071
    """

    def __init__(
        self,
        app: Path,
        address: str,
        config: HostConfig,
        local: LocalSettings,
        worker: Worker,
        environ: Mapping[str, str],
        *,
        auth: bool,
    ) -> None:
        self._app, self._address, self._config, self._local = app, address, config, local
        self._worker, self._environ, self._auth = worker, environ, auth
        self._connections = Connections(environ)
        self._invocations = Invocations(worker, self._connections, base64=config.queues.base64)
        self._host_id = host_id(environ, app)
        self._stop = asyncio.Event()
        self.functions: list[Function] = []

    def stop(self) -> None:
        """Begin to end: listeners first, then what runs."""
        self._stop.set()

    async def run(self, listening: socket.socket) -> None:
        """Load the app, serve it on `listening` and say so; return after `stop`, when all of it has ended."""
        self.functions = read_index(await self._worker.load(self._app), self._environ, self._config.route_prefix)
        keys = Keys(self._environ, enforced=self._auth)
        self._warn(keys)
        self._require_output_connections()
        runners: dict[str, RunNow] = {}
        listeners = Listeners(self._listeners(runners))
        admin = Admin(self.functions, keys, self._host_id, self._address)
        admin.run_now = runners
        http = self._http_side(keys, admin)
        server = HttpServer(http.handle, KEEP_ALIVE_SECONDS)
        for line in table(self.functions, self._address):
            print(line)
        await server.start(listening)
        lateness = asyncio.create_task(watch_lateness())
        try:
            listeners.start()
            http.ready, admin.state = True, "Running"
            print(f"ready {self._address}", flush=True)
            await self._stop.wait()
        finally:
            log.info("stopping")
            http.ready, admin.state = False, "Stopping"
            listeners.stop()
            cut_off, *_ = await asyncio.gather(
                server.stop(GRACE_SECONDS), listeners.ended(GRACE_SECONDS), admin.ended(GRACE_SECONDS)
            )
            if cut_off:
                log.warning("%d requests are cut off: they did not end within %g s", cut_off, GRACE_SECONDS)
            lateness.cancel()
            await self._connections.close()

    def _http_side(self, keys: Keys, admin: Admin) -> HttpSide:
        config = self._config
        most = number_setting(self._environ, "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", LARGEST_BODY_BYTES)
        return HttpSide(
            self.functions,
            self._invocations,
            keys,
            Cors(self._local.origins, credentials=self._local.credentials),
            admin,
            config,
            Limits(config.max_concurrent_requests, config.max_outstanding_requests, most),
            homepage=self._environ.get("AzureWebJobsDisableHomepage", "").lower() != "true",
        )

    def _listeners(self, runners: dict[str, RunNow]) -> list[Listener]:
        listeners: list[Listener] = []
        storage = self._connections.container(CONTAINER) if self._connections.has_host_storage() else None
        active = [function for function in self.functions if not function.disabled]
        for function in active:
            if isinstance(function.trigger, TimerTrigger):
                timer = TimerListener(
                    function,
                    self._invocations,
                    storage,
                    self._host_id,
                    self._config.lock_period_seconds,
                    self._config.lock_recovery_seconds,
                )
                if storage is None and timer.is_monitored:
                    log.error(
                        "the timer '%s' does not run: its status needs storage, set AzureWebJobs%s",
                        function.name,
                        HOST_STORAGE,
                    )
                    continue
                runners[function.name.lower()] = timer.run_now
                listeners.append(timer)
            elif isinstance(function.trigger, QueueTrigger):
                listeners.append(listener := self._queue_listener(function, function.trigger))
                runners[function.name.lower()] = listener.run_now
        return listeners

    def _queue_listener(self, function: Function, trigger: QueueTrigger) -> QueueListener:
        if function.retry:
            log.warning("function '%s' has a retry policy, which means nothing for a queue", function.name)
        used_by = f"function '{function.name}'"
        return QueueListener(
            function,
            self._invocations,
            self._connections.queue(trigger.connection, trigger.queue, used_by),
            self._connections.queue(trigger.connection, f"{trigger.queue}-poison", used_by),
            self._config.queues,
            number_setting(self._environ, QUEUE_INVISIBLE_SETTING, INVISIBLE_SECONDS),
        )

    def _require_output_connections(self) -> None:
        """Refuse at the start what would otherwise fail at the first message."""
        for function in self.functions:
            for output in function.outputs:
                self._connections.queue(output.connection, output.queue, f"function '{function.name}'")

    def _warn(self, keys: Keys) -> None:
        for function in self.functions:
            trigger = function.trigger
            if isinstance(trigger, HttpTrigger) and keys.nobody_opens(trigger.level, function.name):
                log.warning(
                    "function '%s' answers 401 to everybody: no key is set for level '%s'; set app settings %s…, "
                    "or start with --no-auth",
                    *(function.name, trigger.level, PREFIX),
                )


def host_id(environ: Mapping[str, str], app: Path) -> str:
    """The name under which this host keeps locks and status: the same at every start on the same folder."""
    if given := environ.get("AzureFunctionsWebHost__hostid") or environ.get("WEBSITE_SITE_NAME"):
        return given.lower()[:32].rstrip("-")
    machine = re.sub("[^a-z0-9]+", "-", (platform.node() or "localhost").lower()).strip("-")
    return f"{machine[:20].rstrip('-')}-{hashlib.sha256(os.fsencode(app)).hexdigest()[:10]}"


def table(functions: list[Function], address: str) -> list[str]:
    """The functions as `func start` lists them."""
    lines = ["", "Functions:", ""]
    for function in functions:
        trigger, off = function.trigger, " (disabled)" if function.disabled else ""
        if isinstance(trigger, HttpTrigger):
            methods = ",".join(sorted(trigger.methods)) if trigger.methods else "any method"
            lines.append(f"\t{function.name}: [{methods}] {address}/{trigger.route.template}{off}")
        elif isinstance(trigger, TimerTrigger):
            lines.append(f"\t{function.name}: timerTrigger {trigger.schedule}{off}")
        else:
            lines.append(f"\t{function.name}: queueTrigger {trigger.queue}{off}")
    return [*lines, ""]
