"""The committed definitions are what HL7's packages give."""

from __future__ import annotations

from local.definitions.__main__ import TARGET, lines


def test_the_committed_file_is_what_the_generator_writes_and_is_small() -> None:
    text = TARGET.read_text("utf-8")
    assert text.split("\n") == [*lines(), ""]
    assert len(text.encode()) < 2_000_000
