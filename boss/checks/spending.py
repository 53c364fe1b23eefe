"""What answering has cost today, of what it may."""

from __future__ import annotations

from typing import Final

from boss.checks.result import Finding, fail, ok, warn
from shared.config.settings import Settings
from shared.mailbox.statistics import Figures
from supervisor_worker.assistant import price

NEAR: Final = 0.8
MANY_FAILED: Final = 0.25
ENOUGH: Final = 8
"""Questions from which on a share of failed ones says something."""
_RAISE: Final = "See `boss messages list` for a loop, or raise DAILY_TOKENS or DAILY_TURNS."


def spending(settings: Settings, seen: Figures) -> list[Finding]:
    """Tokens and turns of this day (UTC, by the server's clock) beside their bounds, and questions that gave no answer."""
    if small := price.too_small(settings):
        return [fail("spending", small, "Raise DAILY_TOKENS, or lower CLAUDE_MAX_TOKENS and CLAUDE_THINKING_TOKENS.")]
    spent = seen.spent
    tokens, turns, reserved, calls, failed = spent.tokens, spent.turns, spent.reserved, spent.calls, spent.failed
    bounds = settings.spending_bounds
    parts = [_share(tokens, bounds[0], "tokens"), _share(turns, bounds[1], "turns")]
    parts += [f"{reserved:,} tokens reserved"] if reserved else []
    parts += [f"{failed:,} of {calls:,} questions gave no answer that could be used"] if failed else []
    detail = ", ".join(parts)
    share = max(count / bound if bound else 0.0 for count, bound in zip((tokens, turns), bounds, strict=True))
    if share >= 1:
        todo = f"Messages wait for the next day (UTC), and their senders were told so. {_RAISE}"
        return [fail("spending", f"{detail}: used up, nothing more is thought about today", todo)]
    if share >= NEAR:
        return [warn("spending", detail, _RAISE)]
    if calls >= ENOUGH and failed >= MANY_FAILED * calls:
        return [warn("spending", detail, "What failed was paid for as well: the log says `provider_error`, with its code.")]
    return [ok("spending", detail)]


def _share(count: int, bound: int, what: str) -> str:
    return f"{count:,} of {bound:,} {what} today" if bound else f"{count:,} {what} today, without a bound"
