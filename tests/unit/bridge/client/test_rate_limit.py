"""How fast the client sends."""

from __future__ import annotations

from typing import Any

from bridge.client.rate_limit import token_bucket


def test_the_client_stays_under_the_bridge_s_limit() -> None:
    """A client that waits as it is told never sends one that a bucket of the announced size would refuse."""
    rate, now, tokens, last = token_bucket({"burst": 20, "requests_per_second": 10}, 0.0), 0.0, 19.0, 0.0
    for _ in range(200):
        now += rate.reserve(now)
        tokens = min(20.0, tokens + (now - last) * 10)
        last = now
        assert tokens >= 1
        tokens -= 1
    assert now < 25, "and it does not dawdle"


def test_rubbish_is_no_limit() -> None:
    """A bridge that says nothing useful of its limits is taken for one with the usual ones."""
    odd: list[Any] = [None, [], {"burst": "x", "requests_per_second": 0}, {"burst": True, "requests_per_second": float("inf")}]
    for limits in odd:
        rate = token_bucket(limits, 0.0)
        assert [rate.reserve(0.0) for _ in range(18)] == [0.0] * 18
        assert 0 < rate.reserve(0.0) < 1
