"""What answering has cost today, of what it may."""

from __future__ import annotations

from typing import Any, Final

from redis import Redis

from shared.settings import Settings
from supervisor_worker.cli.checks.finding import Finding, fail, ok, warn

DAY_SECONDS: Final = 86_400
NEAR: Final = 0.8


def spending(settings: Settings, redis: Redis) -> list[Finding]:
    """Tokens and turns of this day (UTC, by the server's clock) beside their bounds."""
    seconds, _ = redis.time()
    raw: Any = redis.hmget(f"boss:spent:{seconds // DAY_SECONDS}", "tokens", "turns")
    used = [int(value or 0) for value in raw]
    bounds = settings.spending_bounds
    detail = ", ".join(_share(*each) for each in zip(used, bounds, ("tokens", "turns"), strict=True))
    share = max(count / bound if bound else 0.0 for count, bound in zip(used, bounds, strict=True))
    if share >= 1:
        todo = "Messages wait for the next day (UTC). See `boss messages list` for a loop, or raise DAILY_TOKENS or DAILY_TURNS."
        return [fail("spending", f"{detail}: used up, nothing more is thought about today", todo)]
    if share >= NEAR:
        return [warn("spending", detail, "See `boss messages list` for a loop, or raise DAILY_TOKENS or DAILY_TURNS.")]
    return [ok("spending", detail)]


def _share(count: int, bound: int, what: str) -> str:
    return f"{count:,} of {bound:,} {what} today" if bound else f"{count:,} {what} today, without a bound"
