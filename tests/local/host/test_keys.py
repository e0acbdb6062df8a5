"""Access keys: which key opens what."""

from __future__ import annotations

import pytest

from local.host.keys import Keys

KEYS = Keys(
    {
        "FunctionsHostKeys__master": "master",
        "FunctionsHostKeys__host__default": "host",
        "FunctionsHostKeys__host__second": "host-2",
        "FunctionsHostKeys__function__one_two__default": "own",
        "FunctionsHostKeys__function__other__default": "other",
        "FunctionsHostKeys__function__other__empty": "",
    },
    enforced=True,
)


@pytest.mark.parametrize(
    ("level", "key", "opens"),
    [
        ("anonymous", None, True),
        ("anonymous", "wrong", True),
        ("function", None, False),
        ("function", "", False),
        ("function", "wrong", False),
        ("function", "ключ", False),
        ("function", "master", True),
        ("function", "host", True),
        ("function", "host-2", True),
        ("function", "own", True),
        ("function", "other", False),
        ("admin", "master", True),
        ("admin", "host", False),
        ("admin", "own", False),
    ],
)
def test_a_key_opens_a_level(level: str, key: str | None, opens: bool) -> None:
    assert KEYS.open(level, "One_Two", key) is opens


def test_without_keys_only_anonymous_opens() -> None:
    none = Keys({}, enforced=True)
    assert none.open("anonymous", "f", None)
    assert not none.open("function", "f", "")
    assert none.nobody_opens("function", "f")
    assert not none.nobody_opens("anonymous", "f")


def test_not_enforced_everything_opens() -> None:
    assert Keys({}, enforced=False).open("admin", "f", None)
