"""When a line of the log is written."""

from __future__ import annotations

import asyncio
import io
import logging
import threading
from collections.abc import Iterator

import pytest

from local.host.logs import Lines


@pytest.fixture
def written() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def log(written: io.StringIO) -> Iterator[logging.Logger]:
    logger = logging.Logger("test")
    handler = Lines(written)
    logger.addHandler(handler)
    yield logger
    handler.close()


async def test_what_runs_does_not_wait_for_a_line(log: logging.Logger, written: io.StringIO) -> None:
    changing = ["a"]
    log.info("first %s", changing)
    changing.append("b")
    log.info("second")
    assert written.getvalue() == ""
    await asyncio.sleep(0)
    assert written.getvalue() == "first ['a']\nsecond\n"


async def test_a_fault_is_written_at_once_after_what_came_before(log: logging.Logger, written: io.StringIO) -> None:
    log.info("before")
    log.error("fault")
    assert written.getvalue() == "before\nfault\n"
    log.info("after")
    await asyncio.sleep(0)
    assert written.getvalue() == "before\nfault\nafter\n"


def test_without_an_event_loop_a_line_is_written_at_once(log: logging.Logger, written: io.StringIO) -> None:
    log.info("line")
    assert written.getvalue() == "line\n"


async def test_a_thread_writes_at_once_what_the_event_loop_has_left(log: logging.Logger, written: io.StringIO) -> None:
    log.info("loop")
    thread = threading.Thread(target=log.info, args=("thread",))
    thread.start()
    thread.join()
    assert written.getvalue() == "loop\nthread\n"


async def test_nothing_is_left_at_the_end(written: io.StringIO) -> None:
    logger, handler = logging.Logger("test"), Lines(written)
    logger.addHandler(handler)
    logger.info("last")
    handler.close()
    assert written.getvalue() == "last\n"


async def test_a_log_that_nobody_reads_any_more_stops_nothing() -> None:
    class Broken(io.StringIO):
        tried = 0

        def write(self, text: str) -> int:
            self.tried += 1
            raise BrokenPipeError

    stream = Broken()
    logger, handler = logging.Logger("test"), Lines(stream)
    logger.addHandler(handler)
    logger.error("fault")
    logger.error("another")
    handler.close()
    assert stream.tried == 2  # and none of them raised
