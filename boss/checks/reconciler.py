"""When Twilio's list was last looked at for texts that no webhook brought, and what was found."""

from __future__ import annotations

from typing import Any, Final

from redis import Redis

from boss.checks.result import Finding, ok, warn
from boss.terminal.output import age, printable
from shared.config.settings import Settings
from shared.mailbox import keys

NAME: Final = "reconciler"
INTERVALS: Final = 3
SLACK_SECONDS: Final = 60


def reconciler(settings: Settings, redis: Redis) -> list[Finding]:
    """One finding. Raises RedisError."""
    if not (settings.twilio_account_sid and all(settings.twilio_login)):
        return [ok(NAME, "there is no Twilio account to ask")]
    if not settings.reconcile_minutes:
        off = "RECONCILE_MINUTES=0: a text whose webhook failed stays unanswered"
        return [warn(NAME, off, "Set it to 5.") if settings.environment == "production" else ok(NAME, off)]
    raw: Any = redis.hgetall(keys.RECONCILE)
    seconds, _ = redis.time()
    return [_finding({name.decode(): value.decode() for name, value in raw.items()}, int(seconds), settings.reconcile_minutes * 60)]


def _finding(record: dict[str, str], now: int, interval: float) -> Finding:
    if not record:
        return ok(NAME, "has not looked at Twilio's list yet: a worker does, soon after its start")
    passed = max(0.0, now - _number(record, "at") / 1000)
    detail = f"looked {age(passed)} ago at {_number(record, 'listed')} texts to {_number(record, 'numbers')} numbers" + _found(record, now)
    if failure := printable(record.get("failure", "")):
        return warn(NAME, f"{detail}; it failed: {failure}", "See the workers' log; it is tried again at every interval.")
    if passed > INTERVALS * interval + SLACK_SECONDS:
        return warn(NAME, detail, "Start a worker: it looks every RECONCILE_MINUTES.")
    if unread := _number(record, "unread"):
        return warn(NAME, f"{detail}; {unread} numbers not read to the end", "The next looks go on there; too many texts, or numbers.")
    return ok(NAME, detail)


def _found(record: dict[str, str], now: int) -> str:
    taken, ignored, marked = (_number(record, name) for name in ("accepted", "ignored", "marked"))
    if taken or ignored:
        return f": {taken} missed ones taken, {marked} of them maybe answered before, and {ignored} recorded"
    if at := _number(record, "found_at"):
        passed = age(max(0.0, now - at / 1000))
        return f", none missed; the last that were missed: {_number(record, 'found')}, {passed} ago"
    return ", none missed"


def _number(record: dict[str, str], name: str) -> int:
    value = record.get(name, "")
    return int(value) if value.isdecimal() else 0
