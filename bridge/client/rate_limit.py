"""How fast a client may send: as `auth_result` says, and a little slower, so that the bridge never has to refuse."""

from __future__ import annotations

from typing import Any, Final

RATE: Final = 10.0
BURST: Final = 20
"""What a bridge allows that says nothing of its limits."""
MARGIN: Final = 0.9
MOST: Final = 1e9
SPENT: Final = 2
"""`auth` counts too, and the bridge's clock and ours do not begin together."""


class Pace:
    """A bucket of `burst` requests that fills with `requests_per_second`. Pings are not counted."""

    def __init__(self, limits: Any, now: float) -> None:
        """`limits` is what came in `auth_result`, whatever that was; `now` is any clock in seconds that never goes back."""
        known = limits if isinstance(limits, dict) else {}
        self._rate = MARGIN * _number(known.get("requests_per_second"), RATE)
        self._burst = max(1.0, _number(known.get("burst"), BURST) - SPENT)
        self._tokens = self._burst
        self._now = now

    def wait(self, now: float) -> float:
        """Count one request; the seconds until it may be sent."""
        self._tokens = min(self._burst, self._tokens + (now - self._now) * self._rate) - 1
        self._now = now
        return max(0.0, -self._tokens / self._rate)


def _number(value: object, default: float) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < MOST else default
