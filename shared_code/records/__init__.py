"""The record store: resources, their versions, searches and transactions, in Cosmos DB."""

from functools import cache

from shared_code.azure.clients import container
from shared_code.azure.settings import settings
from shared_code.records.answers import address_of, history_bundle, raw, searchset
from shared_code.records.conditions import Condition, read_condition
from shared_code.records.histories import HistoryQuery, read_history_query
from shared_code.records.items import Stored, fhir_instant
from shared_code.records.locating import is_fhir_id, partition_key, server_id
from shared_code.records.search import Page, Query, read_query
from shared_code.records.store import RecordStore, require_type, single, update_write
from shared_code.records.transactions import Contended, until_uncontended
from shared_code.records.versions import Write
from shared_code.records.writer import ConditionalCreate

__all__ = [
    "Condition",
    "ConditionalCreate",
    "Contended",
    "HistoryQuery",
    "Page",
    "Query",
    "RecordStore",
    "Stored",
    "Write",
    "address_of",
    "fhir_instant",
    "history_bundle",
    "is_fhir_id",
    "partition_key",
    "raw",
    "read_condition",
    "read_history_query",
    "read_query",
    "record_store",
    "require_type",
    "searchset",
    "server_id",
    "single",
    "until_uncontended",
    "update_write",
]


@cache
def record_store() -> RecordStore:
    """The deployed store; tests make their own."""
    containers = container("records"), container("keys"), container("transactions")
    return RecordStore(*containers, base_url=settings().fhir_base_url)
