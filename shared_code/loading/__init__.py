"""Bundles over HTTP, and files of bundles or NDJSON from blobs."""

from datetime import UTC, datetime
from functools import cache

from shared_code.azure.clients import blob_service, container
from shared_code.azure.settings import settings
from shared_code.loading.bundles import BundleLoader, Result, response_bundle
from shared_code.loading.files import File, FileLoader
from shared_code.loading.jobs import Jobs, job_id
from shared_code.records import record_store

__all__ = [
    "BundleLoader",
    "File",
    "FileLoader",
    "Jobs",
    "Result",
    "bundle_loader",
    "file_loader",
    "job_id",
    "jobs",
    "response_bundle",
]


@cache
def bundle_loader() -> BundleLoader:
    """The deployed loader; tests make their own."""
    return BundleLoader(record_store(), settings().fhir_base_url)


@cache
def jobs() -> Jobs:
    """The deployed jobs."""
    return Jobs(container("jobs"), lambda: datetime.now(UTC))


@cache
def file_loader() -> FileLoader:
    """The deployed loader of files."""
    return FileLoader(blob_service(), jobs(), record_store(), bundle_loader())
