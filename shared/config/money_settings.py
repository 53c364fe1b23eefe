"""The settings of money: what answering may cost in dollars, and whose prices count."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import BaseSettings

from shared.config.field import setting
from shared.model.prices import MICROS_PER_DOLLAR


class MoneySettings(BaseSettings):
    """Bounds in dollars, beside those in tokens; 0 is no bound."""

    daily_dollars: float = setting(
        0.0,
        "Dollars that all may spend on models in a day (UTC); then messages wait for the next, with an alarm. 0: none but DAILY_TOKENS, "
        "whose default is at most $20 of the default model.",
        "Limits",
        ge=0,
        le=1_000_000,
    )
    monthly_dollars: float = setting(
        0.0,
        "The same in a month (UTC); then messages end with a sentence that says so. 0: no bound.",
        "Limits",
        ge=0,
        le=10_000_000,
    )
    person_daily_dollars: float = setting(
        0.0,
        "What one person may spend of it in a day of their own clock; then that person alone waits. 0: no bound.",
        "Limits",
        ge=0,
        le=1_000_000,
    )
    person_monthly_dollars: float = setting(0.0, "The same in a month of their own clock. 0: no bound.", "Limits", ge=0, le=10_000_000)
    prices_file: Path | None = setting(
        None,
        "A TOML file of prices of your own (docs/howto/budgets.md): its models' prices take the place of those that are shipped.",
        "Limits",
    )

    @property
    def dollar_settings(self) -> dict[str, float]:
        """The bounds by their settings' names: of all, day and month; of a person, day and month."""
        names = ("daily_dollars", "monthly_dollars", "person_daily_dollars", "person_monthly_dollars")
        return {name: getattr(self, name) for name in names}


def micros(dollars: float) -> int:
    """Dollars in microdollars."""
    return round(dollars * MICROS_PER_DOLLAR)
