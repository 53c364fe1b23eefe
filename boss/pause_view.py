"""What is paused, in words: for `boss pause` and for the doctor."""

from __future__ import annotations

from typing import Final

from boss.terminal.output import age, printable, short
from shared.config.settings import Settings
from shared.errors import ConfigurationError
from shared.mailbox.records import Pause
from shared.model import users as users_file
from shared.model.addresses import Identities

PROVIDERS: Final = {"twilio": "Twilio", "sendgrid": "SendGrid", "claude": "Claude"}


def names(settings: Settings, identities: Identities) -> dict[str, str]:
    """The users' names by their ids; none while the users file cannot be read."""
    try:
        users = users_file.load(settings.boss_users_file)
    except ConfigurationError:
        return {}
    return {identities.user(user.username): user.username for user in users.all}


def described(pauses: list[Pause], known: dict[str, str], now: float) -> list[str]:
    """What is paused, by whom, since when and why; a user whom the users file does not know by their id. `now` is epoch seconds."""
    return [f"{_whom(pause, known)} is paused: {said_of(pause, now)}" for pause in pauses]


def said_of(pause: Pause, now: float) -> str:
    """Why, for how long, and by whom."""
    length, by = age(max(0.0, now - pause.since_ms / 1000)), pause.by or "an older Bossline"
    return printable(f"{pause.reason} (for {length}, by {by})" + (f"; {_tried(pause, now)}" if pause.provider else ""))


def _tried(pause: Pause, now: float) -> str:
    """When one turn will find out whether an alarm's pause can end."""
    name, left = PROVIDERS.get(pause.provider, pause.provider), pause.probe_ms / 1000 - now
    when = f"in {age(left)}" if left > 0 else "with the next turn that asks it"
    return f"{name} is tried again {when}, and sending goes on by itself when it takes something"


def _whom(pause: Pause, known: dict[str, str]) -> str:
    if not pause.user:
        return "All sending"
    return f"Sending to {known.get(pause.user, 'an unknown user')} ({short(pause.user)})"
