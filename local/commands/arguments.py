"""The command line of dev.py; read before Python 3.13 is at hand, so of the standard library of Python 3.8."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the class has no public name before Python 3.14, and cannot be subscripted in 3.8
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / ".local" / "data"
PORT = 7071

# Commands that start Azurite, and therefore need Node.
WITH_AZURITE = ("run", "serve", "test", "bench")


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    """The command and its arguments; ends the process with a text on --help and on what cannot be read."""
    given, rest = parser().parse_known_args(arguments)
    if rest and given.command not in ("test", "bench"):
        parser().error(f"{given.command} does not know {' '.join(rest)}")
    if given.command in ("test", "bench"):
        given.rest = rest
    return given


def parser() -> argparse.ArgumentParser:
    """One sub-parser per command."""
    top = argparse.ArgumentParser(
        prog="dev.py",
        description="Runs, tests and checks the health portal on this machine. Needs Python 3.8 or later, and Node.js.",
        epilog="Everything else is installed into .venv and .local the first time. dev.py COMMAND --help says more.",
        allow_abbrev=False,
    )
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _run(commands)
    _serve(commands)
    _token(commands)
    _test(commands)
    _load(commands)
    _bench(commands)
    _add(commands, "check", "Formatter, linter, types, generated definitions, and Bicep where a compiler is on PATH.")
    return top


def _add(commands: Commands, name: str, text: str) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=text, description=text, allow_abbrev=False)


def _data(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data", type=Path, default=DATA, metavar="DIR", help="folder of all state (default: .local/data)"
    )


def _run(commands: Commands) -> None:
    run = _add(commands, "run", "Everything: services, functions, sample people; prints what to try. Ctrl-C ends it.")
    run.add_argument("--port", type=int, default=PORT, metavar="N", help=f"port of the functions (default: {PORT})")
    _data(run)
    run.add_argument("--fresh", action="store_true", help="forget all data of earlier runs first")


def _serve(commands: Commands) -> None:
    serve = _add(commands, "serve", "The bare stack for another program; says 'ready URL' on standard output.")
    serve.add_argument("--port", type=int, required=True, metavar="N", help="port of the functions")
    serve.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder that keeps all state")
    serve.add_argument("--end-with-parent", action="store_true", help="stop when standard input ends")
    serve.add_argument("--no-sample", action="store_true", help="do not load the sample people")


def _token(commands: Commands) -> None:
    token = _add(commands, "token", "An access token of the local issuer, alone on standard output.")
    who = token.add_mutually_exclusive_group(required=True)
    who.add_argument("--patient", metavar="ID", help="for the person Patient/ID")
    who.add_argument("--practitioner", metavar="ID", help="for the care giver Practitioner/ID")
    who.add_argument("--system", action="store_true", help="for a program that acts for itself")
    token.add_argument("--scope", metavar="SCOPES", help="SMART v2 scopes (default: all of its kind)")
    token.add_argument("--ttl", type=int, metavar="S", help="seconds that it is valid (default: a day)")
    _data(token)


def _test(commands: Commands) -> None:
    test = _add(commands, "test", "All tests, against the real local services on free ports.")
    test.epilog = "All other arguments go to pytest: paths, -k EXPRESSION, -x, …"
    test.add_argument(
        "--host",
        metavar="URL",
        help="run the contract tests of functions hosts against this one; its key is in FUNCTIONS_HOST_KEY",
    )


def _load(commands: Commands) -> None:
    load = _add(commands, "load", "Loads bundles, NDJSON, zip or gz through the API of a running stack.")
    load.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file, or a folder with such files")
    load.add_argument("--concurrency", type=int, default=4, metavar="N", help="files at a time (default: 4)")
    _data(load)


def _bench(commands: Commands) -> None:
    bench = _add(commands, "bench", "Runs a benchmark; a table, and JSON in .local/bench. Without NAME it lists them.")
    bench.add_argument("name", nargs="?", metavar="NAME", help="bench/NAME.py")
    bench.epilog = "All other arguments go to the benchmark."
