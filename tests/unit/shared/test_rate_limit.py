"""The token bucket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rate_limit import TokenBucket


def test_a_burst_is_there_at_once_and_then_the_rate() -> None:
    """Three at once, one more half a second later."""
    bucket = TokenBucket(rate=2, burst=3, now=10.0)
    assert [bucket.take(10.0) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(10.4)
    assert bucket.take(10.5)
    assert not bucket.available(10.5)


def test_what_is_reserved_ahead_is_waited_for() -> None:
    """Each reservation beyond the burst comes one interval later."""
    bucket = TokenBucket(rate=4, burst=1, now=0.0)
    assert [bucket.reserve(0.0) for _ in range(3)] == [0.0, 0.25, 0.5]
    assert bucket.reserve(0.5) == pytest.approx(0.25)


def test_time_fills_up_to_the_burst_and_what_is_added_up_to_the_capacity() -> None:
    """Quiet time saves nothing beyond the burst; what was put in stays."""
    bucket = TokenBucket(rate=1, burst=2, now=0.0, capacity=4)
    bucket.add(10)
    assert [bucket.take(0.0) for _ in range(5)] == [True] * 4 + [False]
    assert [bucket.take(100.0) for _ in range(3)] == [True, True, False]


def test_a_part_of_a_token_may_be_taken_and_a_minimum_kept() -> None:
    """`take_any` never goes below nothing, `keep_at_least` never takes away."""
    bucket = TokenBucket(rate=0, burst=1, now=0.0)
    bucket.take_any(0.0)
    bucket.take_any(0.0)
    bucket.keep_at_least(1)
    assert bucket.take(0.0)
    bucket.keep_at_least(0.5)
    assert not bucket.available(0.0)


@given(
    rate=st.floats(0.1, 100),
    burst=st.integers(1, 20),
    steps=st.lists(st.floats(0, 5), max_size=60),
)
def test_no_more_pass_than_the_burst_and_the_rate_allow(rate: float, burst: int, steps: list[float]) -> None:
    """Whatever the times of the asking."""
    bucket, now, taken = TokenBucket(rate, burst, 0.0), 0.0, 0
    for step in steps:
        now += step
        taken += bucket.take(now)
        assert taken <= burst + rate * now + 1e-6
