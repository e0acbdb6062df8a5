"""What is read out of headers."""

from __future__ import annotations

import pytest

from functions.negotiation import preference


@pytest.mark.parametrize(
    ("prefer", "said"),
    [
        ("return=minimal", "minimal"),
        ("RETURN=Minimal", "minimal"),
        ('return="minimal"', "minimal"),
        ("return = minimal ; x=y", "minimal"),
        ("handling=strict; return=minimal", "minimal"),
        ("respond-async, return=OperationOutcome", "operationoutcome"),
        ("return=representation, return=minimal", "representation"),
        ("handling=strict,return=minimal", "minimal"),
        ("no-return=minimal", None),
        ("return=minimalist", "minimalist"),
        ('x="return=minimal"', None),
        ("return", ""),
        ("", None),
        (None, None),
    ],
)
def test_a_preference_is_read_without_case_and_quotes(prefer: str | None, said: str | None) -> None:
    assert preference(prefer, "return") == said
