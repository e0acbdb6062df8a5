"""What an operation costs in request units: one model, after the examples that the service publishes.

The service documents, for items of 1 KB and of 100 KB: 1 and 10 RU for a point read, 5 and 50 RU for a create without
indexes; a replace costs about twice a create, a delete of 1 KB about 5 RU, and a query from 2.3 RU on, growing with the
items that the index leaves to be loaded and with the bytes that are returned. That each indexed property makes a write
dearer is documented too, but not by how much: the share here is this model's own.
"""

from __future__ import annotations

POINT_READ = 1.0
POINT_READ_PER_KB = 9 / 99
WRITE = 5.0
WRITE_PER_KB = 45 / 99
WRITE_PER_INDEXED_PROPERTY = 0.2
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


def create(size: int, indexed: int) -> float:
    """Making one item, of whose properties so many are indexed."""
    return WRITE + WRITE_PER_KB * max(0.0, size / _KB - 1) + WRITE_PER_INDEXED_PROPERTY * indexed


def replace(size: int, indexed: int) -> float:
    """Writing over one item, also by patch or upsert: what was there goes, what is new comes."""
    return 2 * create(size, indexed)


def delete(size: int, indexed: int) -> float:
    """Removing one item, with its index entries."""
    return create(size, indexed)


def query(items_read: int, bytes_returned: int) -> float:
    """One page of a query."""
    return QUERY + QUERY_PER_ITEM_READ * items_read + QUERY_PER_KB_RETURNED * bytes_returned / _KB


def feed(items: int, bytes_returned: int) -> float:
    """One page of a read feed or of the change feed."""
    return FEED + FEED_PER_ITEM * items + QUERY_PER_KB_RETURNED * bytes_returned / _KB
