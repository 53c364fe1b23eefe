"""Which models answer whom, and what is set that they cannot do."""

from __future__ import annotations

from typing import Final

from boss.checks.result import Finding, ok, warn
from shared.config.settings import Settings
from shared.errors import ConfigurationError
from shared.model.users import Users, load_users
from supervisor_worker.assistant.model_checks import described, doubts
from supervisor_worker.assistant.price import today

MOST_SHOWN: Final = 5


def models(settings: Settings) -> list[Finding]:
    """One line for each setting that a model cannot follow; else who answers."""
    users = usable_users(settings)
    if found := doubts(settings, users, today()):
        return [warn("models", doubt, "See docs/howto/models.md.") for doubt in found[:MOST_SHOWN]]
    return [ok("models", described(settings, users))]


def usable_users(settings: Settings) -> Users | None:
    """The users; None where their file cannot be used, which has a line of its own."""
    try:
        return load_users(settings.boss_users_file)
    except ConfigurationError:
        return None
