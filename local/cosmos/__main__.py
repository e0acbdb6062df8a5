"""Starts the server: `python -m local.cosmos --port N --data DIR`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import math
import signal
import socket
import sqlite3
import ssl
import sys
from pathlib import Path

import msgspec

from local.cosmos.account import DATA_FILE, Account
from local.cosmos.certificate import certificate
from local.cosmos.consistency import LEVELS, SESSION
from local.cosmos.errors import CosmosError
from local.cosmos.provisioning import provision
from local.cosmos.server import Server
from local.cosmos.signature import EMULATOR_KEY
from local.cosmos.storage.database import DataInUse
from local.http_server import HttpServer
from local.lifeline import end_with_parent

HOST = "127.0.0.1"
_HIGHEST_PORT = 65_535
_KEEP_ALIVE_SECONDS = 600
_GRACE_SECONDS = 5
_SWITCH_SECONDS = 0.0005  # so long a request may wait for a thread that scans


def main() -> int:
    """The exit code: 1 where it cannot start, with a sentence that says why."""
    arguments = _arguments()
    sys.setswitchinterval(_SWITCH_SECONDS)
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    if arguments.end_with_parent:
        end_with_parent()
    try:
        listener = socket.create_server((HOST, arguments.port), backlog=512)
    except OSError as error:
        print(
            f"The port {arguments.port} cannot be used: {error.strerror}. Another program may hold it.", file=sys.stderr
        )
        return 1
    try:
        asyncio.run(_serve(arguments, listener), loop_factory=_loop_factory())
    except (CosmosError, DataInUse, ValueError, OSError) as error:
        print(f"The Cosmos server cannot start: {error}", file=sys.stderr)
        return 1
    except (sqlite3.Error, msgspec.MsgspecError) as error:
        file = arguments.data / DATA_FILE
        print(f"The Cosmos server cannot start: {file} cannot be read and may be damaged: {error}", file=sys.stderr)
        return 1
    return 0


async def _serve(arguments: argparse.Namespace, listener: socket.socket) -> None:
    account = Account(
        arguments.data,
        arguments.key,
        arguments.ranges,
        arguments.ru,
        arguments.wait,
        arguments.token_issuer,
        arguments.consistency,
    )
    if arguments.containers is not None:
        provision(account.catalog, arguments.containers, arguments.database)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stopped.set))
    scheme = "https" if arguments.tls else "http"
    server = HttpServer(Server(account, scheme).handle, _KEEP_ALIVE_SECONDS)
    account.start(lambda: server.unanswered <= 1)
    await server.start(listener, _tls(arguments.data) if arguments.tls else None)
    print(f"ready {scheme}://{HOST}:{listener.getsockname()[1]}", flush=True)
    await stopped.wait()
    await server.stop(_GRACE_SECONDS)
    await account.close()


def _tls(directory: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(directory))
    return context


def _loop_factory() -> type[asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:  # not made for Windows
        return asyncio.SelectorEventLoop
    return uvloop.Loop


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= _HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{text} is not a port from 0 to {_HIGHEST_PORT}")
    return port


def _units(text: str) -> int:
    units = int(text)
    if units <= 0:
        raise argparse.ArgumentTypeError(f"{text} request units per second would never answer anything")
    return units


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds")
    return seconds


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local.cosmos",
        description="A local server that speaks the Azure Cosmos DB for NoSQL protocol, for running and testing.",
    )
    parser.add_argument("--port", type=_port, default=8081, help="where to listen on 127.0.0.1; 0 chooses a free port")
    parser.add_argument("--data", type=Path, required=True, help="directory of the data; made if it does not exist")
    parser.add_argument("--tls", action="store_true", help="serve HTTPS, with a certificate that is made at start")
    parser.add_argument("--ranges", type=int, default=2, choices=range(1, 6), help="physical partitions (default 2)")
    parser.add_argument("--ru", type=_units, help="request units per second of each container; beyond them 429")
    parser.add_argument(
        "--consistency", choices=LEVELS, default=SESSION, help="the level of the account (default Session)"
    )
    parser.add_argument("--key", default=EMULATOR_KEY, help="the account key, base64 (default: the emulator's)")
    parser.add_argument("--token-issuer", metavar="URL", help="accept its Entra tokens, for data and with --tls only")
    parser.add_argument("--containers", type=Path, help="JSON file of containers to make at start where absent")
    parser.add_argument("--database", default="portal", help="the database of those containers (default portal)")
    parser.add_argument(
        "--wait", type=_seconds, default=12, metavar="SECONDS", help="for another server to leave the data (default 12)"
    )
    parser.add_argument("--end-with-parent", action="store_true", help="stop when standard input closes")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
