"""What answering has cost today, of what it may."""

from __future__ import annotations

from typing import Final

from redis import Redis

from boss.checks.models import usable_prices, usable_users
from boss.checks.result import Finding, fail, ok, warn
from shared.config.prices import load_prices
from shared.config.settings import Settings
from shared.errors import ConfigurationError
from shared.mailbox.statistics import Figures
from shared.model.prices import MICROS_PER_DOLLAR
from shared.operations.people import People
from shared.operations.spending import near, spending_report
from supervisor_worker.assistant import price
from supervisor_worker.assistant.model_choice import all_chosen

NEAR: Final = 0.8
MANY_FAILED: Final = 0.25
ENOUGH: Final = 8
MOST_NAMED: Final = 5
"""Questions from which on a share of failed ones says something."""
_RAISE: Final = "See `boss spending` and `boss messages list` for a loop, or raise that bound (docs/howto/budgets.md)."


def spending(settings: Settings, seen: Figures) -> list[Finding]:
    """What this day and month (UTC, by the server's clock) have used of their bounds, and questions that gave no answer."""
    if small := price.too_small(settings, usable_prices(settings), usable_users(settings)):
        return [fail("spending", small, "Raise that bound, or lower CLAUDE_MAX_TOKENS and CLAUDE_THINKING_TOKENS.")]
    spent = seen.spent
    tokens, turns, reserved, calls, failed = spent.tokens, spent.turns, spent.reserved, spent.calls, spent.failed
    bounds = settings.spending_bounds
    daily, monthly, *_ = settings.dollar_bounds
    parts = [_share(tokens, bounds[0], "tokens"), _share(turns, bounds[1], "turns")]
    parts += [_dollars(spent.money, daily, "today")] if spent.money or daily else []
    parts += [_dollars(spent.month, monthly, "this month")] if spent.month or monthly else []
    parts += [f"{reserved:,} tokens reserved"] if reserved else []
    parts += [f"{failed:,} of {calls:,} questions gave no answer that could be used"] if failed else []
    detail = ", ".join(parts)
    used = ((tokens, bounds[0]), (turns, bounds[1]), (spent.money, daily), (spent.month, monthly))
    share = max(count / bound if bound else 0.0 for count, bound in used)
    if monthly and spent.month >= monthly:
        return [fail("spending", f"{detail}: used up, messages end with a sentence that says so", "Raise MONTHLY_DOLLARS.")]
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


def _dollars(micros: int, bound: int, when: str) -> str:
    spent = f"${micros / MICROS_PER_DOLLAR:,.4f}"
    return f"{spent} of ${bound / MICROS_PER_DOLLAR:,.2f} {when}" if bound else f"{spent} {when}"


def prices(settings: Settings) -> list[Finding]:
    """Whether the models that answer have a price."""
    try:
        table = load_prices(settings.prices_file)
    except ConfigurationError as error:
        return [fail("prices", error.detail, "Correct that file: docs/howto/budgets.md.")]
    if "anthropic" in settings.played:
        return [ok("prices", "Claude is played, and costs nothing")]
    models = sorted({choice.model for choice in all_chosen(settings, usable_users(settings))})
    if missing := [model for model in models if not table.listed(model)]:
        todo = "Write its price into a file, and its name into PRICES_FILE: docs/howto/budgets.md."
        return [warn("prices", f"{model} has no price, and counts at the dearest of all", todo) for model in missing[:MOST_NAMED]]
    return [ok("prices", f"listed: {', '.join(models[:MOST_NAMED])}")]


def persons(settings: Settings, redis: Redis) -> list[Finding]:
    """Who has used most of their own bounds; nothing where persons have none."""
    if not any(settings.dollar_bounds[2:]):
        return []
    used = near(spending_report(redis, People.load(settings, redis), settings), NEAR)
    if not used:
        return [ok("persons' bounds", "nobody has used four fifths")]
    names = ", ".join(f"{name} {share:.0%}" for name, share in used[:MOST_NAMED]) + (", ..." if len(used) > MOST_NAMED else "")
    return [warn("persons' bounds", f"used: {names}", "See `boss spending`; raise PERSON_DAILY_DOLLARS or PERSON_MONTHLY_DOLLARS.")]
