"""Log records as lines on standard error, by the host's categories and the levels that host.json gives them."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping

import azure_functions_runtime as library

LEVELS = {
    "trace": 5,
    "debug": logging.DEBUG,
    "information": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "none": logging.CRITICAL + 10,
}
SHORT = {5: "trce", 10: "dbug", 20: "info", 30: "warn", 40: "fail", 50: "crit"}
ROOTS = ("Host", "Function", "Worker")
# One line for each call of a function, and several for each request that an SDK sends: off unless asked for by name.
CHATTY = ("azure.functions", "azure.core", "azure.cosmos", "azure.identity")


def install(levels: Mapping[str, str], running: Mapping[str, str], *, debug: bool = False) -> None:
    """Send all records to standard error, one line each (and a traceback below, indented).

    levels   `logging.logLevel` of host.json: category prefix → level; "default" for all others
    running  invocation id → function name; a record made meanwhile belongs to `Function.<name>.User`
    """
    # Nothing of these stands in a line, and finding them out is the larger part of what a record costs.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # nor does the caller: the way that `logging` documents
    default = LEVELS[levels.get("default", "Information").lower()]
    for root in ROOTS:
        logging.getLogger(root).setLevel(default)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    for category, level in levels.items():
        if category != "default":
            logging.getLogger(category).setLevel(LEVELS[level.lower()])
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_ByCategory(running))
    handler.setFormatter(_Line())
    root_logger = logging.getLogger()
    root_logger.handlers[:] = [handler]
    root_logger.setLevel(logging.DEBUG if debug else logging.INFO)


class _ByCategory(logging.Filter):
    """Gives each record its category; the app's own are kept if that category's level lets them through."""

    def __init__(self, running: Mapping[str, str]) -> None:
        super().__init__()
        self._running = running

    def filter(self, record: logging.LogRecord) -> bool:
        record.invocation = invocation = library.invocation_id_cv.get()
        if record.name.split(".", 1)[0] in ROOTS:
            record.category = record.name
            return True
        function = self._running.get(invocation) if invocation else None
        record.category = category = f"Function.{function}.User" if function else "Host.Function.Console"
        return record.levelno >= logging.getLogger(category).getEffectiveLevel()


class _Line(logging.Formatter):
    """`2026-01-31T09:00:00.123Z info Function.x.User [invocation id] text`, times in UTC."""

    _second, _instant = 0, ""

    def format(self, record: logging.LogRecord) -> str:
        if (second := int(record.created)) != self._second:
            self._second, self._instant = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        text = record.getMessage()
        invocation = getattr(record, "invocation", None)
        category = record.__dict__["category"]
        head = f"{self._instant}.{record.msecs:03.0f}Z {SHORT.get(record.levelno, 'info')} {category}"
        line = f"{head} [{invocation}] {text}" if invocation else f"{head} {text}"
        if record.exc_info:
            line += f"\n{self.formatException(record.exc_info)}"
        return line.replace("\r", "").replace("\n", "\n    ") if "\n" in line or "\r" in line else line
