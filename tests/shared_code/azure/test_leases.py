"""A lease lets one runner work, and passes on when its holder ends or dies."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from shared_code.azure.leases import Lease, lease

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy, DatabaseProxy


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2024, 5, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def forward(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def leases(database: DatabaseProxy) -> ContainerProxy:
    return database.get_container_client("leases")


async def test_the_second_runner_gets_nothing_while_the_first_holds_it(leases: ContainerProxy) -> None:
    async with lease(leases, "sweep") as first, lease(leases, "sweep") as second:
        assert first is not None
        assert first.held
        assert second is None


async def test_leases_of_other_names_do_not_meet(leases: ContainerProxy) -> None:
    async with lease(leases, "sweep") as first, lease(leases, "outbox") as second:
        assert first is not None
        assert second is not None


async def test_a_lease_is_free_again_after_the_block_whatever_happened_in_it(leases: ContainerProxy) -> None:
    with pytest.raises(ZeroDivisionError):
        async with lease(leases, "sweep"):
            raise ZeroDivisionError
    async with lease(leases, "sweep") as again:
        assert again is not None


async def test_of_many_runners_at_once_exactly_one_gets_it(leases: ContainerProxy) -> None:
    clock = Clock()
    taken = await asyncio.gather(*(Lease(leases, "sweep", 15, clock).take() for _ in range(8)))
    assert sum(taken) == 1


async def test_a_holder_that_died_is_followed_once_its_time_is_over(leases: ContainerProxy) -> None:
    clock = Clock()
    dead, heir = Lease(leases, "sweep", 15, clock), Lease(leases, "sweep", 15, clock)
    assert await dead.take()
    clock.forward(14)
    assert not await heir.take()
    clock.forward(2)
    assert not dead.held
    assert await heir.take()


async def test_a_renewed_lease_outlives_its_first_length(leases: ContainerProxy) -> None:
    clock = Clock()
    ours, other = Lease(leases, "sweep", 15, clock), Lease(leases, "sweep", 15, clock)
    assert await ours.take()
    clock.forward(10)
    assert await ours.renew()
    clock.forward(10)
    assert ours.held
    assert not await other.take()


async def test_a_holder_that_was_too_slow_learns_that_it_lost_the_lease_and_leaves_it_alone(
    leases: ContainerProxy,
) -> None:
    clock = Clock()
    slow, heir = Lease(leases, "sweep", 15, clock), Lease(leases, "sweep", 15, clock)
    assert await slow.take()
    clock.forward(16)
    assert await heir.take()
    assert not await slow.renew()
    await slow.release()
    assert heir.held
    assert await heir.renew()


async def test_a_renewal_whose_answer_was_lost_does_not_cost_the_lease(leases: ContainerProxy) -> None:
    clock = Clock()
    ours = Lease(leases, "sweep", 15, clock)
    assert await ours.take()
    stored = await leases.read_item("sweep", "sweep")
    await leases.replace_item("sweep", {name: stored[name] for name in ("id", "holder", "until")})
    assert await ours.renew()
    assert ours.held


async def test_the_block_renews_its_lease_by_itself(leases: ContainerProxy) -> None:
    async with lease(leases, "sweep", seconds=0.15) as held:
        assert held is not None
        first = (await leases.read_item("sweep", "sweep"))["until"]
        async with asyncio.timeout(10):
            while (await leases.read_item("sweep", "sweep"))["until"] == first:
                pass  # each turn waits for an answer
        assert held.held
