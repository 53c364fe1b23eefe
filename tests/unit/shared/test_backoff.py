"""Exponential backoff."""

from __future__ import annotations

from shared.backoff import Backoff, delay


def test_each_wait_is_twice_the_one_before_up_to_the_longest() -> None:
    """And begins anew after a success."""
    backoff = Backoff(0.5, 3.0)
    assert [backoff.next() for _ in range(4)] == [0.5, 1.0, 2.0, 3.0]
    assert backoff.failures == 4
    backoff.reset()
    assert backoff.next() == 0.5


def test_the_random_factor_is_of_the_spread() -> None:
    """Both bounds reach the source of randomness."""
    asked: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return high

    backoff = Backoff(1.0, 8.0, (0.5, 0.75), uniform)
    assert [backoff.next(), backoff.next()] == [0.75, 1.5]
    assert asked == [(0.5, 0.75)] * 2


def test_a_long_outage_overflows_nothing() -> None:
    """Also after a million failures."""
    assert delay(1.0, 60.0, 1_000_000) == 60.0
