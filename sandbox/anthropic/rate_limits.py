"""The rate limits of the Messages API: requests, and tokens of input and output, by the minute.

Every answer shows them in its headers. They hold where the fault settings give them; else the headers show those of a large account. What
is read from the prompt cache does not count. Counting tokens has a limit of its own.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from sandbox.engine.json_types import JsonObject

if TYPE_CHECKING:
    from sandbox.engine.rate_limits import RateLimit
    from sandbox.engine.state import SandboxState

USUAL: Final = {"requests": 4_000, "input_tokens": 2_000_000, "output_tokens": 400_000, "token_counts": 4_000}
OF_MESSAGES: Final = ("requests", "input_tokens", "output_tokens")
OF_COUNTS: Final = ("token_counts",)
HEADERS: Final = {"requests": "requests", "token_counts": "requests", "input_tokens": "input-tokens", "output_tokens": "output-tokens"}


def exceeded(state: SandboxState, names: tuple[str, ...]) -> tuple[str, float] | None:
    """A sentence on the first limit of these that is used up, and the seconds to wait; None if a request may go on."""
    now = state.clock.now()
    for name in names:
        limit = _configured(state, name)
        if limit is not None and (wait := _limit(state, name).wait(now)) > 0:
            words = name.replace("_", " ")
            return f"This request would exceed your organization's rate limit of {limit} {words} per minute (simulated).", math.ceil(wait)
    return None


def count(state: SandboxState, usage: JsonObject | None) -> None:
    """Count a request that is answered: one that was for a message by its usage, one that counted tokens without."""
    now = state.clock.now()
    if usage is None:
        _limit(state, "token_counts").add(1, now)
        return
    _limit(state, "requests").add(1, now)
    _limit(state, "input_tokens").add(usage["input_tokens"] + usage["cache_creation_input_tokens"], now)
    _limit(state, "output_tokens").add(usage["output_tokens"], now)


def headers(state: SandboxState, names: tuple[str, ...]) -> dict[str, str]:
    """What every answer says of these limits; tokens of input and output also together."""
    now, shown = state.clock.now(), dict[str, str]()
    for name in names:
        limit = _limit(state, name)
        shown |= _header(HEADERS[name], limit.limit, limit.remaining(now), limit.reset(now))
    if names == OF_MESSAGES:
        both = [_limit(state, name) for name in ("input_tokens", "output_tokens")]
        limit_of_both, left = sum(each.limit for each in both), sum(each.remaining(now) for each in both)
        shown |= _header("tokens", limit_of_both, left, max(each.reset(now) for each in both))
    return shown


def _header(name: str, limit: int, remaining: int, reset: str) -> dict[str, str]:
    prefix = f"anthropic-ratelimit-{name}"
    return {f"{prefix}-limit": str(limit), f"{prefix}-remaining": str(remaining), f"{prefix}-reset": reset}


def _configured(state: SandboxState, name: str) -> int | None:
    configured: int | None = getattr(state.faults.anthropic, f"{name}_per_minute")
    return configured


def _limit(state: SandboxState, name: str) -> RateLimit:
    return state.limits.of(name, _configured(state, name) or USUAL[name])
