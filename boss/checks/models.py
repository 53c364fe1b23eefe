"""Which models answer whom, and what is set that they cannot do."""

from __future__ import annotations

from typing import Final

from boss.checks.result import Finding, ok, warn
from shared.config.prices import load_prices, shipped
from shared.config.settings import Settings
from shared.errors import ConfigurationError
from shared.mailbox.statistics import Figures
from shared.model.prices import MICROS_PER_DOLLAR, PriceTable
from shared.model.users import Users
from shared.registry import users_on_disk
from supervisor_worker.assistant import price
from supervisor_worker.assistant.model_checks import described, doubts
from supervisor_worker.assistant.model_choice import first_chosen
from supervisor_worker.assistant.price import today

MOST_SHOWN: Final = 5


def models(settings: Settings) -> list[Finding]:
    """One line for each setting that a model cannot follow; else who answers."""
    users = usable_users(settings)
    if found := doubts(settings, users, today()):
        return [warn("models", doubt, "See docs/howto/models.md.") for doubt in found[:MOST_SHOWN]]
    return [ok("models", described(settings, users))]


def second_model(settings: Settings, seen: Figures) -> list[Finding]:
    """What the second model has answered this month (UTC), where no turn begins with it."""
    name = settings.second_model
    if not name:
        return []
    used = seen.models.get(name)
    if name in {choice.model for choice in first_chosen(settings, usable_users(settings))}:
        return [ok("second model", f"{name}, which also answers as a first one")]
    if not used or not used.tokens:
        return [ok("second model", f"{name}, not needed this month")]
    cost = f"${used.money / MICROS_PER_DOLLAR:,.4f}"
    return [ok("second model", f"{name} answered while another did not serve: {used.tokens:,} tokens, {cost} this month")]


def web_tools(settings: Settings) -> list[Finding]:
    """Whether a bound has room for a question that may search the web; nothing where none may."""
    tokens, micros = price.least_of_web(settings, usable_prices(settings))
    if not tokens:
        return []
    dollars = micros / MICROS_PER_DOLLAR
    detail = f"a question that may search is reserved {tokens:,} tokens, ${dollars:.2f}"
    bounds = {"DAILY_TOKENS": (settings.spending_bounds[0], tokens)}
    bounds |= {name.upper(): (bound, micros) for name, bound in zip(settings.dollar_settings, settings.dollar_bounds, strict=True)}
    if small := [name for name, (bound, least) in bounds.items() if 0 < bound < least]:
        todo = "Raise that bound, or lower WEB_USES and CLAUDE_MAX_TOKENS: docs/howto/web.md."
        return [warn("web tools", f"{detail}, more than {', '.join(small)}: nothing is ever searched", todo)]
    return [ok("web tools", detail)]


def usable_prices(settings: Settings) -> PriceTable:
    """The prices; those that are shipped where the operator's file cannot be used, which has a line of its own."""
    try:
        return load_prices(settings.prices_file)
    except ConfigurationError:
        return shipped()


def usable_users(settings: Settings) -> Users | None:
    """The users; None where their file cannot be used, which has a line of its own."""
    try:
        return users_on_disk(settings)
    except ConfigurationError:
        return None
