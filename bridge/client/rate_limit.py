"""The client's rate limit: what `auth_result` announces, and a little less, so that the bridge never has to reject a request."""

from __future__ import annotations

from typing import Any, Final

from shared.rate_limit import TokenBucket

DEFAULT_REQUESTS_PER_SECOND: Final = 10.0
DEFAULT_BURST: Final = 20
"""For a bridge that announces no limits: its own defaults."""
SAFETY_FACTOR: Final = 0.9
MAX_ANNOUNCED: Final = 1e9
RESERVED_TOKENS: Final = 2
"""`auth` counts too, and the bridge's clock and ours do not start at the same moment."""


def token_bucket(limits: Any, now: float) -> TokenBucket:
    """A full bucket by the `limits` of an `auth_result`, whatever JSON value that is; one token a request, none for a ping."""
    known = limits if isinstance(limits, dict) else {}
    rate = SAFETY_FACTOR * _number(known.get("requests_per_second"), DEFAULT_REQUESTS_PER_SECOND)
    return TokenBucket(rate, max(1.0, _number(known.get("burst"), DEFAULT_BURST) - RESERVED_TOKENS), now)


def _number(value: object, default: float) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < MAX_ANNOUNCED:
        return float(value)
    return default
