"""`dev.py load`: files into a running stack, with a progress bar."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from local.commands.token import token_of
from local.loading.loader import Target, load
from local.loading.report import Report
from local.loading.sources import NothingToLoadError, Source, sources_of
from local.services import tokens
from local.services.kept_secrets import SYSTEM_CLIENT
from local.stack.folder import StackFolder
from local.stack.ports import command_of


def run(given: argparse.Namespace) -> int:
    """Load the paths; 1 if anything could not be stored."""
    folder = StackFolder(given.data.resolve())
    target = running_target(folder)
    if target is None:
        print(f"dev.py load: no stack runs on {folder.root}; start one with 'dev.py run'", file=sys.stderr)
        return 1
    try:
        sources = sources_of(given.paths)
    except NothingToLoadError as error:
        print(f"dev.py load: {error}", file=sys.stderr)
        return 1
    report = load_with_progress(sources, target, given.concurrency, "Loading")
    show(report, Console(), files=len(sources))
    return 1 if report.failures else 0


def running_target(folder: StackFolder) -> Target | None:
    """The app that runs on `folder`, None if none does."""
    if not folder.services_json.exists():
        return None
    services = json.loads(folder.services_json.read_text(encoding="utf-8"))
    if "dev.py" not in command_of(services["pids"]["supervisor"]):
        return None
    return Target(
        url=services["app"]["url"],
        token=token_of(folder, tokens.system(SYSTEM_CLIENT)),
        storage=services["azurite"]["connectionString"],
    )


def load_with_progress(sources: list[Source], target: Target, concurrency: int, title: str) -> Report:
    """Load, with a bar on standard error."""
    return asyncio.run(load_and_show(sources, target, concurrency, title))


async def load_and_show(sources: list[Source], target: Target, concurrency: int, title: str) -> Report:
    """As `load_with_progress`, within a running loop."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("files, {task.fields[stored]} resources, {task.fields[failed]} failures"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=len(sources), stored=0, failed=0)
        so_far = Report()

        def ended(_: Source, report: Report) -> None:
            so_far.add(report)
            bar.update(task, advance=1, stored=so_far.stored.total(), failed=len(so_far.failures))

        return await load(sources, target, concurrency, ended)


def show(report: Report, console: Console, *, files: int) -> None:
    """What was stored by type, and every failure."""
    table = Table(title=f"{files} files")
    table.add_column("Type")
    table.add_column("Stored", justify="right")
    for resource_type, count in sorted(report.stored.items()):
        table.add_row(resource_type, str(count))
    table.add_section()
    table.add_row("all", str(report.stored.total()))
    console.print(table)
    for failure in report.failures:
        console.print(
            f"{failure.file}: {failure.where or 'the file'}: {failure.text}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    console.print(f"{len(report.failures)} failures" if report.failures else "no failures")
