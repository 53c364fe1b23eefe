"""What is paused, in words: for `boss pause` and for the doctor."""

from __future__ import annotations

from typing import Final

from boss.terminal.output import age, printable, short
from shared.operations.pauses import PauseView

PROVIDERS: Final = {"twilio": "Twilio", "sendgrid": "SendGrid", "claude": "Claude"}


def describe(pauses: list[PauseView], now: float) -> list[str]:
    """What is paused, by whom, since when and why. `now` is in epoch seconds."""
    return [f"{_whom(pause)} is paused: {cause(pause, now)}" for pause in pauses]


def cause(pause: PauseView, now: float) -> str:
    """Why, for how long, and by whom."""
    length, by = age(max(0.0, now - pause["since_ms"] / 1000)), pause["by"] or "an older Bossline"
    return printable(f"{pause['reason']} (for {length}, by {by})" + (f"; {_next_try(pause, now)}" if pause["provider"] else ""))


def _next_try(pause: PauseView, now: float) -> str:
    """When one turn will find out whether an alarm's pause can end."""
    name, left = PROVIDERS.get(pause["provider"], pause["provider"]), pause["probe_ms"] / 1000 - now
    when = f"in {age(left)}" if left > 0 else "with the next turn that asks it"
    return f"{name} is tried again {when}, and sending goes on by itself when it takes something"


def _whom(pause: PauseView) -> str:
    if not pause["user"]:
        return "All sending"
    return f"Sending to {pause['username'] or 'an unknown user'} ({short(pause['user'])})"
