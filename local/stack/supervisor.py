"""Starts the children in order, writes down where everything is, keeps them running, and ends them in order."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx

from local.services.kept_secrets import email_key, system_client
from local.stack.app_settings import COSMOS_KEY, DATABASE, Addresses, settings_file, storage_connection
from local.stack.child import Child, StartError
from local.stack.children import ORDER, plans
from local.stack.folder import StackFolder
from local.stack.former import end_former_children
from local.stack.ports import require_free
from local.state_files import write_whole

MASTER_KEY_SETTING = "FunctionsHostKeys__master"  # read by local/host
# What a killed host was working on comes again after half a minute, not after ten minutes as in Azure.
HOST_SETTINGS = {"LocalHost__queueInvisibleSeconds": "30"}
GRACE_SECONDS = 12.0
HEALTHY_WITHIN_SECONDS = 60


@dataclass(slots=True)
class Supervisor:
    """One stack on `folder`, whose lock the caller holds; the functions listen on `app_port`."""

    folder: StackFolder
    app_port: int
    say: Callable[[str], None]
    children: dict[str, Child] = field(default_factory=dict)

    @property
    def addresses(self) -> Addresses:
        """Where everything listens."""
        return Addresses(
            app_port=self.app_port,
            ports=self.folder.ports(),
            issuer=self.folder.issuer(),
            email_key=email_key(self.folder.services),
        )

    async def start(self) -> None:
        """All of it, until the app says that it is ready; PortTakenError or StartError leave nothing running."""
        await end_former_children(self.folder, self.say)
        self._require_ports()
        addresses = self.addresses
        write_whole(
            self.folder.app_settings,
            json.dumps(
                settings_file(addresses, HOST_SETTINGS | {MASTER_KEY_SETTING: self.folder.master_key()}), indent=2
            ),
        )
        self.children = {
            name: Child(plan, self.folder.logs / f"{name}.log", self.say, self._write_services)
            for name, plan in plans(self.folder, addresses).items()
        }
        try:
            for together in ORDER:
                self.say(f"starting {' and '.join(together)}")
                await _all(self.children[name].start() for name in together)
            await self._healthy(addresses)
        except BaseException:
            await self.stop()
            raise

    def _require_ports(self) -> None:
        require_app_port(self.app_port)
        kept = f"End it, or delete {self.folder.root / 'ports.json'} (tokens given out before then stop working)."
        for name, port in asdict(self.folder.ports()).items():
            require_free(port, f"the local {name} service", kept)

    async def _healthy(self, addresses: Addresses) -> None:
        """Wait for the app's own word that it reaches all that it needs."""
        url = f"{addresses.app}/api/health/ready"
        deadline = asyncio.get_running_loop().time() + HEALTHY_WITHIN_SECONDS
        last = "no answer"
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            while asyncio.get_running_loop().time() < deadline:
                try:
                    answer = await client.get(url)
                    if answer.status_code == 200:
                        return
                    last = f"{answer.status_code} {answer.text[:500]}"
                except httpx.TransportError as error:
                    last = repr(error)
                await asyncio.sleep(0.1)
        log = self.folder.logs / "functions.log"
        raise StartError(f"{url} was not ready within {HEALTHY_WITHIN_SECONDS} s: {last}; see {log}")

    def _write_services(self) -> None:
        """Where everything is, for other programs; written again whenever a child has another process."""
        addresses = self.addresses
        ports = addresses.ports
        client = system_client(self.folder.services)
        identity = addresses.issuer
        described = {
            "app": {
                "url": addresses.app,
                "fhir": f"{addresses.app}/api/fhir",
                "masterKey": self.folder.master_key(),
                "settings": str(self.folder.app_settings),
            },
            "cosmos": {"url": addresses.cosmos, "key": COSMOS_KEY, "database": DATABASE},
            "azurite": {
                "blob": f"http://127.0.0.1:{ports.blob}",
                "queue": f"http://127.0.0.1:{ports.queue}",
                "table": f"http://127.0.0.1:{ports.table}",
                "connectionString": storage_connection(ports),
            },
            "identity": {
                "issuer": identity,
                "jwks": f"{identity}/jwks",
                "token": f"{identity}/token",
                "clientId": client.client_id,
                "clientSecret": client.client_secret,
            },
            "email": {"url": addresses.email, "page": f"{addresses.email}/", "key": addresses.email_key},
            "pids": {
                "supervisor": os.getpid(),
                **{name: child.pid for name, child in self.children.items() if child.pid is not None},
            },
        }
        write_whole(self.folder.services_json, json.dumps(described, indent=2))

    async def stop(self) -> None:
        """End the children gracefully, the last started first."""
        for together in reversed(ORDER):
            await _all(self.children[name].stop(GRACE_SECONDS) for name in together if name in self.children)
        if self.children:
            self._write_services()

    def kill(self) -> None:
        """End the children at once."""
        for child in self.children.values():
            child.kill()


def require_app_port(port: int) -> None:
    """Raises PortTakenError if the functions cannot listen there."""
    require_free(port, "the functions", "End it, or name another with --port.")


async def _all(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Wait for all of them; the first failure is raised when all have ended."""
    outcomes = await asyncio.gather(*coroutines, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
