"""`python -m local.host`: runs one function app on one port of this machine, as Azure would."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from local.host import logs
from local.host.errors import StartError
from local.host.host import Host
from local.host.settings import HostConfig, LocalSettings, read_host_config, read_local_settings
from local.host.worker import Worker, arrange_import_path
from local.lifeline import end_with_parent

LAUNCHED_FROM = Path(__file__).resolve().parents[2]
THREADS_END_SECONDS = 0.5


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the host until SIGTERM or SIGINT; the exit code is 1 where it could not start."""
    options = _parser().parse_args(arguments)
    app: Path = options.app.resolve()
    try:
        local, config = _configuration(app, options.settings)
        with _listening(options.port if options.port is not None else local.port) as listening:
            if options.end_with_parent:
                end_with_parent()
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                worker = Worker(config.function_timeout_seconds)
                runner.run(_run(app, listening, config, local, worker, auth=not options.no_auth))
                if not worker.stop(THREADS_END_SECONDS):
                    print("sync functions that still run are cut off", file=sys.stderr)
                    sys.stdout.flush()
                    os._exit(0)  # the interpreter itself would wait for their threads
    except StartError as fault:
        print(f"the functions host does not start: {fault}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.host", description=__doc__)
    parser.add_argument("--app", type=Path, default=Path(), help="folder of the function app (default: this one)")
    parser.add_argument(
        "--port", type=int, help="port on 127.0.0.1 (default: Host.LocalHttpPort of the settings, or 7071)"
    )
    parser.add_argument(
        "--settings", type=Path, help="settings file (default: local.settings.json in the app's folder)"
    )
    parser.add_argument("--no-auth", action="store_true", help="ask for no access keys, like func start")
    parser.add_argument("--end-with-parent", action="store_true", help="end when standard input ends")
    return parser


def _configuration(app: Path, settings: Path | None) -> tuple[LocalSettings, HostConfig]:
    file = settings.resolve() if settings else app / "local.settings.json"
    local = read_local_settings(file, os.environ, required=settings is not None)
    os.environ.setdefault("FUNCTIONS_WORKER_RUNTIME", "python")
    os.environ.setdefault("AZURE_FUNCTIONS_ENVIRONMENT", "Development")
    os.environ["TZ"] = "UTC"  # Azure's machines know no other, and dates in logs and cookies depend on it
    if hasattr(time, "tzset"):
        time.tzset()
    return local, read_host_config(app / "host.json", os.environ, os.cpu_count() or 1)


def _listening(port: int) -> socket.socket:
    """A socket bound to `port`, which accepts nothing yet."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name == "posix":  # on Windows this would let two hosts share the port
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", port))
        bound.listen(2048)
    except (OSError, OverflowError) as fault:
        bound.close()
        raise StartError(
            f"port {port} is not free ({fault}): end what uses it, or choose another with --port"
        ) from fault
    return bound


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop's, which serves half as many requests again; it does not exist for Windows."""
    if sys.platform == "win32":
        return asyncio.new_event_loop
    from uvloop import new_event_loop

    return new_event_loop


async def _run(
    app: Path, listening: socket.socket, config: HostConfig, local: LocalSettings, worker: Worker, *, auth: bool
) -> None:
    logs.install(config.log_levels, worker.running, debug=bool(os.environ.get("PYTHON_ENABLE_DEBUG_LOGGING")))
    arrange_import_path(app, LAUNCHED_FROM)
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    host = Host(app, address, config, local, worker, os.environ, auth=auth)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(host.stop))
    await host.run(listening)


if __name__ == "__main__":
    sys.exit(main())
