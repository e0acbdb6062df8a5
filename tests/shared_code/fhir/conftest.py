"""The official R4 examples, fetched from npm once per machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.definitions.sources import EXAMPLES, fetched


@pytest.fixture(scope="session")
def examples() -> Path:
    """The folder of the official examples."""
    return fetched(EXAMPLES)
