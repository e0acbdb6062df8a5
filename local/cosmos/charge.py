"""What an operation costs in request units: one model, after the examples that the service publishes.

The service documents, for items of 1 KB and of 100 KB: 1 and 10 RU for a point read, 5 and 50 RU for a create without
indexes; a replace costs about twice a create, and a query from 2.3 RU on, growing with the items that the index leaves
to be loaded and with the bytes that are returned.
"""

from __future__ import annotations

POINT_READ = 1.0
POINT_READ_PER_KB = 9 / 99
CREATE = 5.0
CREATE_PER_KB = 45 / 99
REPLACE = 10.0
REPLACE_PER_KB = 90 / 99
DELETE = 5.0
QUERY = 2.3
QUERY_PER_ITEM_READ = 0.03
QUERY_PER_KB_RETURNED = 0.08
FEED = 1.0
FEED_PER_ITEM = 0.05
MANAGEMENT = 1.0
_KB = 1024


def point_read(size: int) -> float:
    """Reading one item of `size` bytes."""
    return POINT_READ + POINT_READ_PER_KB * max(0.0, size / _KB - 1)


def create(size: int) -> float:
    """Making one item."""
    return CREATE + CREATE_PER_KB * max(0.0, size / _KB - 1)


def replace(size: int) -> float:
    """Writing over one item, also by patch or upsert."""
    return REPLACE + REPLACE_PER_KB * max(0.0, size / _KB - 1)


def delete() -> float:
    """Removing one item."""
    return DELETE


def query(items_read: int, bytes_returned: int) -> float:
    """One page of a query."""
    return QUERY + QUERY_PER_ITEM_READ * items_read + QUERY_PER_KB_RETURNED * bytes_returned / _KB


def feed(items: int, bytes_returned: int) -> float:
    """One page of a read feed or of the change feed."""
    return FEED + FEED_PER_ITEM * items + QUERY_PER_KB_RETURNED * bytes_returned / _KB
