"""Limits by the minute: what is used flows back."""

from __future__ import annotations

from sandbox.engine.rate_limits import RateLimit, RateLimits


def test_what_is_used_flows_back_within_a_minute() -> None:
    """Evenly; more may be used than is left; a clock that goes back gives nothing back."""
    limit = RateLimit(60)
    limit.add(60, now=1_000)
    assert (limit.remaining(1_000), limit.wait(1_000), limit.reset(1_000)) == (0, 1.0, "1970-01-01T00:17:40Z")
    assert (limit.remaining(1_010), limit.wait(1_010)) == (10, 0.0)
    limit.add(130, now=1_010)
    assert (limit.remaining(1_010), limit.wait(1_010)) == (0, 121.0)
    assert limit.remaining(900) == 0
    assert limit.remaining(1_200) == 60


def test_a_changed_limit_keeps_what_was_used() -> None:
    """A test may lower it while it runs."""
    limits = RateLimits()
    limits.of("requests", 100).add(5, now=0)
    assert limits.of("requests", 10).remaining(0) == 5
    assert limits.of("tokens", 10).remaining(0) == 10
