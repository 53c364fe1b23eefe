"""A captured webhook, posted again: Twilio's signature has no time in it and is good for as long as the Auth Token is."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from redis import Redis
from structlog.testing import capture_logs

from shared.mailbox import calls
from tests.payloads import MULTIPART, form_body, mail_fields, multipart_body, sid, sms_fields
from tests.support.server import EmbeddedServer
from tests.support.webhook_client import ELSEWHERE, Web, only_message, opened, send_a_reply

HOUR, DAY = 3_600_000, calls.DAY_MS
CAPTURED = form_body(sms_fields(MessageSid=sid("in")))


@pytest.fixture
def own_server() -> Iterator[EmbeddedServer]:
    """A server that is restarted."""
    with EmbeddedServer() as running:
        yield running


def answered(web: Web) -> None:
    """The captured text was answered, and nothing is left to do."""
    send_a_reply(web)
    run = web.runtime.mailbox.run
    conversation = only_message(web).conversation
    run(calls.outcome("r-1", "a-1", "accepted", retention_ms=90 * DAY, provider_id=sid("out"), conversation=conversation, token="k-1"))
    assert web.redis.zcard("boss:due") == 0
    web.redis.delete("rq:queue:boss")


def pass_time(redis: Redis, ms: int) -> None:
    """Every key is as much nearer to its end, by the server's own figures; whose end has come is gone."""
    for key in redis.scan_iter(count=1000):
        left = int(redis.pttl(key))
        if left >= 0:
            redis.pexpire(key, left - ms)


def nothing_is_sent(web: Web) -> bool:
    """Whether neither a message waits, nor a conversation, nor a job: nobody will ever send anything."""
    return not (web.redis.zcard("boss:open") or web.redis.zcard("boss:due") or web.redis.llen("rq:queue:boss"))


@pytest.mark.parametrize("ms", [HOUR, 8 * DAY, 31 * DAY, 399 * DAY])
def test_a_captured_text_posted_again_sends_nothing(own_server: EmbeddedServer, ms: int) -> None:
    """After an hour, a week, a month and a year; also when its record has long gone, and after a restart of the server."""
    with opened(own_server.url) as web:
        answered(web)
        before = web.lines()
        assert ("answered", "") in before
        pass_time(web.redis, ms)
        assert web.sms(body=CAPTURED).status_code == 200
        assert nothing_is_sent(web)
        own_server.kill9()
        own_server.start()
        assert web.sms(body=CAPTURED).status_code == 200
        web.emptied()
        assert nothing_is_sent(web)
        assert web.lines() == before


def test_beyond_the_mark_s_life_only_another_token_helps(redis_url: str) -> None:
    """The limit that docs/howto/going-live.md tells of; and the test above can fail."""
    with opened(redis_url) as web:
        answered(web)
        pass_time(web.redis, 401 * DAY)
        web.sms(body=CAPTURED)
        assert not nothing_is_sent(web)


def test_a_stop_posted_again_does_not_silence_who_wrote_start_since(redis_url: str) -> None:
    """An opt-out word is known as long as any text."""
    with opened(redis_url) as web:
        stop = form_body(sms_fields(MessageSid=sid("stop"), Body="STOP"))
        for body in (stop, form_body(sms_fields(MessageSid=sid("start"), Body="START"))):
            web.sms(body=body)
        pass_time(web.redis, 31 * DAY)
        web.sms(body=stop)
        assert [reason for kind, reason in web.lines() if kind == "ignored"] == ["opt_out", "opt_in"]


@pytest.mark.parametrize(("ago", "said"), [(0, False), (500, False), (700, True), (-700, True), (3 * 86_400, True)])
def test_an_old_signature_of_sendgrid_s_is_logged_and_let_in(redis_url: str, ago: int, said: bool) -> None:
    """Whether its retries of three days are signed anew is not known: refusing one would lose a mail."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    body, timestamp = multipart_body(mail_fields()), str(int(time.time()) - ago)
    signature = base64.b64encode(key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()
    headers = {"X-Twilio-Email-Event-Webhook-Signature": signature, "X-Twilio-Email-Event-Webhook-Timestamp": timestamp}
    with opened(redis_url, sendgrid_inbound_public_key=public) as web, capture_logs() as logs:
        answer = web.client().post("/email/inbound", data=body, content_type=MULTIPART, headers=headers, environ_overrides=ELSEWHERE)
        assert (answer.status_code, [kind for kind, _ in web.lines()]) == (200, ["email_received"])
    assert [line["action"] for line in logs if line["action"] == "old_signature"] == ["old_signature"] * said


def test_a_host_s_clock_is_told_by_readyz_and_measured_once_a_minute(own_server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """In seconds ahead of the server's; nothing is known while that is away."""
    with opened(own_server.url) as web:
        real = time.time
        assert abs((web.client().get("/readyz").json or {})["clock_skew_seconds"]) < 1
        monkeypatch.setattr("shared.storage.clock_skew.time.time", lambda: real() + 90)
        assert abs((web.client().get("/readyz").json or {})["clock_skew_seconds"]) < 1
    with capture_logs() as logs, opened(own_server.url) as web:
        ready = web.client().get("/readyz")
        assert (ready.status_code, round((ready.json or {})["clock_skew_seconds"])) == (200, 90)
        own_server.stop()
        assert (web.client().get("/readyz").json or {"clock_skew_seconds": 1})["clock_skew_seconds"] is None
    assert [line["seconds"] for line in logs if line["action"] == "clock_skew"] == [pytest.approx(90, abs=1)]
