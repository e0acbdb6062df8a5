"""Statistics of a person's own Observations, kept up to date from the change feed."""

from functools import cache

from shared_code.azure.clients import container
from shared_code.azure.leases import utc_now
from shared_code.statistics.daily import DailyStatistics

__all__ = ["DailyStatistics", "daily_statistics"]


@cache
def daily_statistics() -> DailyStatistics:
    """The deployed statistics; tests make their own."""
    return DailyStatistics(container("records"), container("aggregates"), container("leases"), utc_now)
