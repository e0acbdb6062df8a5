"""The event that tells of a file: which file it names, and what is none of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from functions.loading import MAX_DELIVERIES, file_of
from shared_code import errors
from shared_code.loading import File

ROOT = Path(__file__).resolve().parents[2]


def event(**changes: Any) -> dict[str, object]:
    """A BlobCreated event as Event Grid sends it."""
    return {
        "topic": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/portal",
        "subject": "/blobServices/default/containers/bundles/blobs/2026/history.json",
        "eventType": "Microsoft.Storage.BlobCreated",
        "data": {"api": "PutBlob", "eTag": "0x8D4BCC2E4835CD0", "contentLength": 524288},
    } | changes


@pytest.mark.parametrize("name", ["a.json", "2026/history.json", "containers/x/blobs/y.ndjson", "ä ö.json", "a?b#c"])
def test_an_event_names_container_blob_and_content(name: str) -> None:
    subject = f"/blobServices/default/containers/bundles/blobs/{name}"
    assert file_of(event(subject=subject)) == File("bundles", name, "0x8D4BCC2E4835CD0")


@pytest.mark.parametrize(
    "wrong",
    [
        {"eventType": "Microsoft.Storage.BlobDeleted"},
        {"eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": {"validationCode": "x"}},
        {"data": None},
        {"data": "x"},
        {"subject": ""},
        {"subject": "/blobServices/default/containers/bundles/blobs/"},
        {"subject": "/blobServices/default/containers//blobs/a.json"},
        {"subject": 5},
    ],
    ids=str,
)
def test_any_other_message_is_refused_and_ends_as_poison(wrong: dict[str, Any]) -> None:
    with pytest.raises(errors.Malformed):
        file_of(event(**wrong))


def test_the_last_try_is_the_one_after_which_the_host_gives_up() -> None:
    host = (ROOT / "host.json").read_text(encoding="utf-8")
    assert f'"maxDequeueCount": {MAX_DELIVERIES}' in host
