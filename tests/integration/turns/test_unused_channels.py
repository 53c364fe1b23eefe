"""Texts alone, mails alone, the bridge alone: what no user has is closed, and says so."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from boss.checks import machine, providers
from boss.checks.email_events import email_events, events_heard
from boss.http import Answer, Unreachable
from shared.config.loading import load_settings
from shared.config.settings import Settings
from shared.errors import ProviderRefused, ProviderUnavailable
from shared.mailbox import keys
from shared.mailbox.ledger import SENDGRID_EVENTS
from shared.mailbox.records import Attempt
from shared.model.addresses import PhoneNumber
from shared.model.events import SendSmsResponse
from shared.runtime import open_runtime
from supervisor_worker.channels.unused import UnusedChannel
from supervisor_worker.process.resources import open_resources
from tests.payloads import FORM, form_body, sms_fields
from tests.support.webhook_client import ELSEWHERE, PUBLIC_URL, opened

TEXTS = '[[users]]\nusername = "ada"\nphone = "+15551234567"\nboss_phone = "+15559876543"\n'
MAILS = '[[users]]\nusername = "eve"\nemail = "user@example.com"\nboss_email = "boss@example.com"\n'
BRIDGE = TEXTS + "bridge_only = true\n"
TWILIO = {"twilio_account_sid": "AC" + "4" * 32, "twilio_auth_token": secrets.token_hex(16)}
SENDGRID = {"sendgrid_api_key": f"SG.{secrets.token_hex(16)}", "email_webhook_secret": secrets.token_hex(16)}
WAYS: dict[str, tuple[str, dict[str, str], set[str]]] = {
    "texts": (TEXTS, TWILIO, {"email"}),
    "mails": (MAILS, SENDGRID, {"sms"}),
    "both": (TEXTS + MAILS, TWILIO | SENDGRID, set()),
    "the bridge": (BRIDGE, {}, {"sms", "email"}),
    "the bridge, with an account": (BRIDGE, TWILIO, {"email"}),
}
PATHS = {"/sms/inbound": "sms", "/sms/status": "sms", "/email/inbound": "email", "/email/events": "email"}


@pytest.fixture
def users(tmp_path: Path) -> Path:
    return tmp_path / "users.toml"


def real(users: Path, tables: str, **more: Any) -> dict[str, Any]:
    """Settings without the sandbox, and a users file."""
    users.write_text(tables)
    return {"sandbox": "off", "boss_users_file": users, "boss_data_dir": users.parent, **more}


@pytest.mark.parametrize("way", WAYS)
def test_the_webhooks_of_a_channel_that_nobody_has_are_closed(redis_url: str, users: Path, way: str) -> None:
    """404 and a reason of its own in the ledger; the others ask for their proof."""
    tables, credentials, closed = WAYS[way]
    with opened(redis_url, **real(users, tables, **credentials)) as web:
        for path, channel in PATHS.items():
            answer = web.client().post(path, data=b"a=b", content_type=FORM, environ_overrides=ELSEWHERE)
            assert answer.status_code == (404 if channel in closed else 403), path
        assert [reason for _, reason in web.lines()].count("channel_unused") == 2 * len(closed)


def test_who_comes_over_the_bridge_alone_is_a_stranger_to_the_webhooks(redis_url: str, users: Path) -> None:
    """No text of theirs is taken by Twilio's way, though the bridge knows the number."""
    with opened(redis_url, **real(users, BRIDGE, sandbox="on")) as web:
        assert web.sms(body=form_body(sms_fields())).status_code == 200
        assert web.lines() == [("ignored", "unknown_recipient")]
    runtime = open_runtime(load_settings(_env_file=None, redis_url=redis_url, **real(users, BRIDGE, sandbox="on")), "bridge")
    try:
        assert runtime.users.find("sms", PhoneNumber("+15559876543"), PhoneNumber("+15551234567"))
    finally:
        runtime.close()


@pytest.mark.parametrize("way", WAYS)
def test_a_worker_opens_the_channels_that_users_may_need(redis_url: str, users: Path, way: str) -> None:
    """Somebody may be added where there are credentials. The others refuse for good what an earlier users file left."""
    tables, credentials, _ = WAYS[way]

    async def kinds() -> dict[str, bool]:
        runtime = open_runtime(load_settings(_env_file=None, redis_url=redis_url, **real(users, tables, **credentials)), "worker")
        try:
            async with open_resources(runtime) as resources:
                return {name: isinstance(port, UnusedChannel) for name, port in resources.context.channels.items()}
        finally:
            runtime.close()

    used = {"sms": bool(TWILIO.items() & credentials.items()), "email": bool(SENDGRID.items() & credentials.items())}
    assert asyncio.run(kinds()) == {name: not is_used for name, is_used in used.items()}


def test_a_closed_channel_parks_and_never_says_not_found() -> None:
    """An attempt of unknown outcome may have arrived: only its list could tell."""
    text = SendSmsResponse(to=PhoneNumber("+15551234567"), from_=PhoneNumber("+15559876543"), message="Hi", user="ada")
    with pytest.raises(ProviderRefused) as refused:
        asyncio.run(UnusedChannel("sms").send(text, "r-1", "a-1", "p-1"))
    assert (refused.value.final, refused.value.code, refused.value.provider) == (True, "channel_unused", "twilio")
    with pytest.raises(ProviderUnavailable):
        asyncio.run(UnusedChannel("email").find(text, Attempt("a-1", 1)))


@pytest.mark.parametrize("way", WAYS)
def test_the_doctor_asks_nobody_whom_no_user_needs(users: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says so in one ok line."""
    tables, credentials, _ = WAYS[way]
    asked: list[str] = []

    def ask(url: str, **_more: Any) -> Answer:
        asked.append(url)
        raise Unreachable("nothing", local=False)

    monkeypatch.setattr(providers, "ask", ask)
    settings = load_settings(_env_file=None, **real(users, tables, **credentials))
    for check, channel, host in ((providers.twilio, "sms", "api.twilio.com"), (providers.sendgrid, "email", "api.sendgrid.com")):
        used = channel in machine.channels_of(settings)
        try:
            findings = check(settings)
        except Unreachable:
            findings = []
        assert any(host in url for url in asked) is used
        assert used or ["not used" in each.detail and each.status == "ok" for each in findings] == [True]
    assert bool(machine.signature(settings)) is ("sms" in machine.channels_of(settings))
    assert machine.public_url(settings)[0].status == ("fail" if machine.channels_of(settings) else "ok")


def test_what_answers_nobody_is_no_event(redis_url: str) -> None:
    """An empty batch, as the doctor posts it, is taken and notes nothing; the first event is noted, with Redis's time."""
    with opened(redis_url) as web:

        def post(body: bytes) -> int:
            path = f"/email/events?token={web.runtime.settings.email_webhook_secret.get_secret_value()}"
            return web.client().post(path, data=body, content_type="application/json", environ_overrides=ELSEWHERE).status_code

        assert post(b"[]") == 204
        assert not web.redis.exists(keys.HEARD)
        assert post(b'[{"event": "open"}]') == 204
        first: Any = web.redis.hget(keys.HEARD, SENDGRID_EVENTS)
        assert first
        assert post(b'[{"event": "open"}]') == 204
        assert web.redis.hget(keys.HEARD, SENDGRID_EVENTS) == first  # once a minute is enough
        assert web.redis.hkeys(keys.HEARD) == [SENDGRID_EVENTS.encode()]


def settings_of(tmp_path: Path, **more: Any) -> Settings:
    return load_settings(_env_file=None, boss_data_dir=tmp_path, **{"sandbox": "on", "public_url": PUBLIC_URL, **more})


def mail_went_out(redis: Redis, reply: str, ago: int) -> None:
    """The ledger's lines of a mail that SendGrid took."""
    seconds, _ = redis.time()
    at = (seconds - ago) * 1000
    redis.xadd("boss:ledger", {"v": 1, "type": "reply_stored", "reply": reply, "channel": "email"}, id=f"{at}-0")
    redis.xadd("boss:ledger", {"v": 1, "type": "sent", "reply": reply}, id=f"{at}-1")


def test_mails_of_which_no_event_came_are_a_warning(redis: Redis, tmp_path: Path) -> None:
    """Not at once, and not for texts; an event that came later than they ends it."""
    settings = settings_of(tmp_path)
    assert [(each.status, each.detail) for each in events_heard(settings, redis)] == [
        ("ok", "no event was ever heard; no mail went out lately")
    ]
    seconds, _ = redis.time()
    redis.xadd("boss:ledger", {"v": 1, "type": "sent", "reply": "r-text"}, id=f"{(seconds - 5000) * 1000}-0")
    assert events_heard(settings, redis)[0].status == "ok"
    mail_went_out(redis, "r-1", 4000)
    (found,) = events_heard(settings, redis)
    assert (found.status, found.detail) == ("warn", "no event was ever heard, and 1 mails went out")
    redis.hset(keys.HEARD, SENDGRID_EVENTS, str((seconds - 3900) * 1000))
    assert events_heard(settings, redis)[0].status == "ok"
    mail_went_out(redis, "r-2", 2000)
    (found,) = events_heard(settings, redis)
    assert (found.status, found.detail) == ("warn", "the last one 65 min ago, though 1 mails went out after it")
    redis.hset(keys.HEARD, SENDGRID_EVENTS, str(seconds * 1000))
    mail_went_out(redis, "r-3", 1)
    assert events_heard(settings, redis)[0].status == "ok"


def test_an_event_webhook_that_nothing_proves_is_a_fault(tmp_path: Path, users: Path) -> None:
    """Without key and secret every event gets 403; without the web process nothing is known."""
    bare = load_settings(_env_file=None, **real(users, MAILS, sendgrid_api_key=SENDGRID["sendgrid_api_key"]))
    assert [(each.status, "every event is refused" in each.detail) for each in email_events(bare)] == [("fail", True)]
    away = settings_of(tmp_path, port=1)
    assert [(each.status, each.down) for each in email_events(away)] == [("warn", True)]
    assert email_events(load_settings(_env_file=None, **real(users, TEXTS))) == []
