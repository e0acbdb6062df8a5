"""The stack that a benchmark runs against: served on a folder of its own, with a client of Cosmos DB beside it."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from bench.measuring.connection import Connection
from local.stack.served import ServedStack

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy, DatabaseProxy


@dataclass(frozen=True, slots=True)
class Bench:
    """A running stack; `database` is reached by the SDK alone, past the app."""

    stack: ServedStack
    database: DatabaseProxy

    @property
    def records(self) -> ContainerProxy:
        """The container of the records."""
        return self.database.get_container_client("records")

    @property
    def pids(self) -> dict[str, int]:
        """The processes whose work is counted."""
        running = self.stack.services["pids"]
        return {name: running[name] for name in ("functions", "cosmos")}

    async def as_system(self) -> Connection:
        """A connection of a program that may do everything."""
        return await Connection.to(self.stack.port, self.stack.token(system=True))

    async def as_person(self, patient_id: str) -> Connection:
        """A connection of one person."""
        return await Connection.to(self.stack.port, self.stack.token(patient=patient_id))

    async def promoted(self) -> None:
        """Return when no transaction is under way: its header goes once nothing is marked any more."""
        headers = self.database.get_container_client("transactions")
        while True:
            if not [one async for one in headers.query_items("SELECT c.tx FROM c")]:
                return
            await asyncio.sleep(0.005)


@asynccontextmanager
async def served(*, timers: bool = True, **client_options: Any) -> AsyncIterator[Bench]:
    """A stack that ends with the block.

    timers          whether the timer functions run; what they do is no part of a single request
    client_options  given to the Cosmos client
    """
    from azure.cosmos.aio import CosmosClient

    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        print("starting a stack of its own ...", file=sys.stderr, flush=True)
        with ServedStack(Path(folder)) as stack:
            if not timers:
                stop_timers(stack)
            account = stack.services["cosmos"]
            async with CosmosClient(account["url"], credential=account["key"], **client_options) as client:
                yield Bench(stack, client.get_database_client(account["database"]))


def stop_timers(stack: ServedStack) -> None:
    """Start the functions again with every timer function disabled."""
    headers = {"x-functions-key": stack.services["app"]["masterKey"]}
    answer = httpx.get(f"{stack.url}/admin/functions", headers=headers, trust_env=False).raise_for_status()
    timers = [one["name"] for one in answer.json() if one["config"]["bindings"][0]["type"] == "timerTrigger"]
    content = json.loads(stack.folder.app_settings.read_text(encoding="utf-8"))
    content["Values"] |= {f"AzureWebJobs.{name}.Disabled": "true" for name in timers}
    stack.folder.app_settings.write_text(json.dumps(content), encoding="utf-8")
    stack.kill_and_wait("functions")


def run[T](work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run on uvloop, as the functions host does, so that both sides of a ratio have the same loop."""
    if sys.platform == "win32":
        return asyncio.run(work())
    from uvloop import new_event_loop

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(work())
