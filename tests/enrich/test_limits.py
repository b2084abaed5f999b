"""Budgets, pauses and second attempts."""

import pytest

from aggregator.enrich.limits import Breaker, Budget, Spent, retry_in_s


@pytest.mark.parametrize(
    ("budget", "hour", "day", "room"),
    [
        (Budget(), Spent(9999, 10**9), Spent(9999, 10**9), 1_000_000),
        (Budget(calls_per_hour=10), Spent(7), Spent(500), 3),
        (Budget(calls_per_hour=10, calls_per_day=502), Spent(7), Spent(500), 2),
        (Budget(calls_per_hour=10), Spent(12), Spent(12), 0),
        (Budget(usd_per_day=1.0), Spent(1), Spent(1, 999_999), 1_000_000),
        (Budget(usd_per_day=1.0), Spent(1), Spent(1, 1_000_000), 0),
    ],
)
def test_the_smallest_budget_counts(budget, hour, day, room):
    """Calls of the hour, calls of the day and money of the day each bound what may be asked; 0 bounds nothing."""
    assert budget.room(hour, day) == room


def test_an_endpoint_in_trouble_is_left_alone():
    """Pauses double up to a quarter of an hour; after each, one call tries; one that works ends it."""
    breaker = Breaker()
    assert breaker.calls(0, 4) == 4
    now, pauses = 100.0, []
    for _ in range(9):
        pauses.append(breaker.failed(now))
        assert breaker.tripped
        assert breaker.calls(now + pauses[-1] - 1, 4) == 0
        now += pauses[-1]
        assert breaker.calls(now, 4) == 1
    assert pauses == [15, 30, 60, 120, 240, 480, 900, 900, 900]
    breaker.worked()
    assert breaker.calls(now, 4) == 4
    assert breaker.failed(now) == 15


def test_calls_of_one_trouble_count_once():
    """Four calls under way that all fail make one pause, not four doublings."""
    breaker = Breaker()
    assert [breaker.failed(100.0 + n) for n in range(4)] == [15, 14, 13, 12]


def test_what_the_endpoint_asks_for_holds():
    """Retry-After makes the pause longer, never shorter."""
    breaker = Breaker()
    assert breaker.failed(0.0, 120.0) == 120
    assert breaker.calls(119.0, 1) == 0
    assert breaker.failed(120.0, 1.0) == 30


def test_attempts_end():
    """An article is tried again after a minute, a quarter of an hour and two hours, then no more; jitter moves each by 10 %."""
    assert [retry_in_s(n) for n in (1, 2, 3, 4)] == [60, 900, 7200, None]
    assert retry_in_s(1, 1.0) == pytest.approx(66)
    assert retry_in_s(1, -1.0) == pytest.approx(54)
