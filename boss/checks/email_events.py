"""Whether SendGrid's Event Webhook is let in, and whether it ever spoke: its events settle the mails of unknown outcome."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from redis import Redis

from boss.checks.machine import channels_of
from boss.checks.result import Finding, fail, not_checked, not_running, ok, warn
from boss.http import Unreachable, ask
from boss.terminal.output import age
from shared.config.settings import Settings
from shared.config.web_address import local_web_url
from shared.mailbox import keys, ledger
from shared.mailbox.ledger import SENDGRID_EVENTS, Line

NAME: Final = "email events"
PATH: Final = "/email/events"
LOCAL_SECONDS: Final = 3.0
LINES: Final = 2_000
LATE_SECONDS: Final = 600
"""How long after a mail its first event should have come; SendGrid's take seconds."""
_NOT_FOUND, _NOT_ALLOWED, _BUSY = 404, 405, 503


def email_events(settings: Settings) -> list[Finding]:
    """Post an empty batch with what SendGrid would show; where that is a signature, only look whether the route is there."""
    if "email" not in channels_of(settings):
        return []
    secret = settings.email_webhook_secret.get_secret_value()
    if not (settings.sendgrid_events_public_key or secret):
        todo = "Set SENDGRID_EVENTS_PUBLIC_KEY to the key of the signed Event Webhook (docs/howto/going-live.md), or EMAIL_WEBHOOK_SECRET."
        return [fail(NAME, "neither a key nor a secret: every event is refused, and a mail of unknown outcome goes out twice", todo)]
    try:
        return [_signed(settings) if settings.sendgrid_events_public_key else _posted(settings, secret)]
    except Unreachable:
        return [not_running(not_checked(NAME, "the web process does not answer"))]


def _signed(settings: Settings) -> Finding:
    answer = ask(local_web_url(settings) + PATH, timeout=LOCAL_SECONDS)
    if answer.status != _NOT_ALLOWED:
        return fail(NAME, f"there is no such webhook ({answer.status})", "Start the web process again with these settings.")
    return ok(NAME, "signed: SENDGRID_EVENTS_PUBLIC_KEY is set; only SendGrid can make such a signature")


def _posted(settings: Settings, secret: str) -> Finding:
    url = f"{local_web_url(settings)}{PATH}?{urlencode({'token': secret})}"
    answer = ask(url, timeout=LOCAL_SECONDS, method="POST", headers={"Content-Type": "application/json"}, body=b"[]")
    if answer.status == _BUSY:
        return warn(NAME, "somebody guesses the secret just now: it was not judged", "Look at `refused` in the ledger; try again.")
    if answer.status >= 300:  # noqa: PLR2004 - HTTP's border of success
        todo = "Start the web process again with these settings: its EMAIL_WEBHOOK_SECRET or SENDGRID_EVENTS_PUBLIC_KEY is another."
        return fail(NAME, f"the web process refuses an event with the secret of these settings ({answer.status})", todo)
    return ok(NAME, "an event with the secret is accepted")


def events_heard(settings: Settings, redis: Redis) -> list[Finding]:
    """When an event was last heard, and whether mails went out since then of which none came. Raises RedisError."""
    if "email" not in channels_of(settings):
        return []
    name = "events heard"
    seconds, _ = redis.time()
    raw: Any = redis.hget(keys.HEARD, SENDGRID_EVENTS)
    heard = int(raw or 0)
    said = f"the last one {age(max(0.0, seconds - heard / 1000))} ago" if heard else "no event was ever heard"
    silent = sum(1 for at_ms in _mails_sent(ledger.latest(redis, LINES)) if heard < at_ms < (seconds - LATE_SECONDS) * 1000)
    if silent:
        todo = "See SendGrid, Settings, Mail Settings, Event Webhook: on, this /email/events, its key here (docs/howto/going-live.md, 4)."
        return [warn(name, f"{said}, though {silent} mails went out after it" if heard else f"{said}, and {silent} mails went out", todo)]
    return [ok(name, said if heard else f"{said}; no mail went out lately")]


def _mails_sent(lines: list[Line]) -> list[int]:
    """When the provider took a mail, in ms of Redis's clock."""
    mails = {line.fields.get("reply") for line in lines if line.type == "reply_stored" and line.fields.get("channel") == "email"}
    return [line.at_ms for line in lines if line.type == "sent" and line.fields.get("reply") in mails]
