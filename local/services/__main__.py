"""Serves identity and email on two ports of 127.0.0.1 and watches the storage for new blobs, in one process."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import socket
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from local.lifeline import end_with_parent
from local.services import event_grid
from local.services.app import email_app, services_app
from local.services.email.captured import Captured
from local.services.email.limits import LIMITS
from local.services.kept_secrets import email_key


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; 1 if a port is taken."""
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("azure").setLevel(logging.WARNING)
    if given.end_with_parent:
        end_with_parent()
    try:
        listening = [_listen(port) for port in (given.port, given.email_port)]
    except OSError as error:
        print(f"local services: cannot listen: {error}", file=sys.stderr)
        return 1
    key = given.email_key or email_key(given.data)
    captured = Captured(given.data / "email.sqlite")
    try:
        apps = [services_app(given.port, given.data), email_app(captured, key, given.email_limits)]
        asyncio.run(_serve(list(zip(apps, listening, strict=True)), given))
    finally:
        captured.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.services", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="identity issuer")
    parser.add_argument("--email-port", type=int, required=True, help="Communication Services' email")
    parser.add_argument("--data", type=Path, required=True, help="folder of keys and of what was captured")
    parser.add_argument("--blob-connection", help="storage connection string; without one no blob is watched")
    parser.add_argument("--email-key", help="access key of the email service, base64 (default: one kept in the data)")
    parser.add_argument("--email-limits", choices=list(LIMITS), default="none", help="sending limits to enforce")
    parser.add_argument("--end-with-parent", action="store_true", help="stop when standard input ends")
    return parser


def _listen(port: int) -> socket.socket:
    """Bound here and not by uvicorn, which would end the process without a word to us."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        listening.close()
        raise OSError(error.errno, f"port {port}: {error.strerror}") from None
    return listening


async def _serve(apps: list[tuple[Starlette, socket.socket]], given: argparse.Namespace) -> None:
    servers = [_Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")) for app, _ in apps]
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    tasks = [
        asyncio.create_task(server.serve([listening])) for server, (_, listening) in zip(servers, apps, strict=True)
    ]
    if given.blob_connection:
        tasks.append(asyncio.create_task(event_grid.watch(given.blob_connection, given.data / "event-grid.sqlite")))
    ready = asyncio.create_task(_say_ready(servers, given.port))
    waiting = asyncio.create_task(stopped.wait())
    # A task that ends by itself has failed: stop all of them, and let its error out below.
    await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for server in servers:
        server.should_exit = True
    for task in (waiting, ready, *tasks[len(servers) :]):
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome


async def _say_ready(servers: list[_Server], port: int) -> None:
    for server in servers:
        await server.accepting.wait()
    print(f"ready http://127.0.0.1:{port}", flush=True)


class _Server(uvicorn.Server):
    """Leaves the signals to `_serve`, waits shortly for open requests, and says when it accepts some."""

    def __init__(self, config: uvicorn.Config) -> None:
        config.timeout_graceful_shutdown = 2
        super().__init__(config)
        self.accepting = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepting.set()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, without its signal handlers."""
        await self._serve(sockets)


if __name__ == "__main__":
    raise SystemExit(main())
