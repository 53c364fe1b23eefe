"""The webhooks on a real server: what is stored, what is refused, and what a 2xx means."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from redis import Redis
from redis.connection import UnixDomainSocketConnection
from werkzeug.test import TestResponse

from shared.errors import ConfigurationError
from shared.mailbox import ledger
from shared.mailbox.records import ReplyState
from shared.model.addresses import PhoneNumber
from shared.model.channels import CHANNELS
from shared.model.events import EmailReceived, SmsReceived
from shared.model.sms_admission import sms_id
from tests.payloads import BOUNDARY, FORM, MULTIPART, Fields, form_body, mail_fields, multipart_body, payload, sid, sms_fields
from tests.support.server import EmbeddedServer
from tests.support.webhook_client import (
    AUTH_TOKEN,
    ELSEWHERE,
    PUBLIC_URL,
    SECRET,
    Web,
    only_message,
    opened,
    reply,
    send_a_reply,
    twilio_signature,
)
from webhook_api.security.signatures import twilio_signature as ours
from webhook_api.sms.parsing import read_form
from webhook_api.sms.routes import EMPTY_TWIML

LOCAL = {"REMOTE_ADDR": "127.0.0.1"}
KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC_KEY = base64.b64encode(KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


@pytest.fixture
def web(redis_url: str) -> Iterator[Web]:
    """The application on the emptied server."""
    with opened(redis_url) as running:
        yield running


@pytest.fixture
def own_server() -> Iterator[EmbeddedServer]:
    """A server that the test may hurt."""
    with EmbeddedServer() as running:
        yield running


def test_a_signed_text_is_stored_with_a_job_and_a_ledger_line(web: Web) -> None:
    """Empty TwiML at once; the event is whole; the job names the conversation and nothing else."""
    answer = web.sms(body=payload("sms_plain.form"))
    assert (answer.status_code, answer.text, answer.mimetype) == (200, EMPTY_TWIML, "text/xml")
    message = only_message(web)
    event = message.event
    assert isinstance(event, SmsReceived)
    assert (event.message, event.provider_id, event.user, event.signed) == ("Café at 8? +1 & 100% “sure” 😀", "SM" + "1" * 32, "user", True)
    assert message.id == sms_id("AC" + "0" * 32, "SM" + "1" * 32)
    (job,) = web.runtime.dispatcher.queue.get_jobs()
    assert (job.func_name, job.args) == (CHANNELS["sms"].job, [message.conversation])
    assert web.lines() == [("sms_received", "")]


@pytest.mark.parametrize("name", ["mail_parsed.multipart", "mail_raw.multipart"])
def test_a_mail_is_stored_with_a_job_and_a_ledger_line(web: Web, name: str) -> None:
    """Both modes of Inbound Parse; the thread's root makes the conversation."""
    assert web.mail(body=payload(name)).status_code == 200
    event = only_message(web).event
    assert isinstance(event, EmailReceived)
    assert (event.subject, event.message_id, event.key().thread) == ("Re: Lunch", "<third@example.com>", "<first@example.com>")
    assert event.signed
    assert web.runtime.dispatcher.queue.count == 1
    assert web.lines() == [("email_received", "")]


def test_a_happy_webhook_is_one_round_trip(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """One send to Redis for a text, one for a mail, from the first request on."""
    sent: list[int] = []
    original = UnixDomainSocketConnection.send_packed_command

    def counting(self: Any, command: Any, check_health: bool = True) -> Any:
        sent.append(1)
        return original(self, command, check_health)  # type: ignore[no-untyped-call]

    web.runtime.people.close()  # what the process looks for by itself
    web.intake.close()
    web.redis.ping()  # the connection's own greeting
    monkeypatch.setattr(UnixDomainSocketConnection, "send_packed_command", counting)
    assert web.sms().status_code == 200
    assert len(sent) == 1
    assert web.mail().status_code == 200
    assert len(sent) == 2
    monkeypatch.undo()
    assert [kind for kind, _ in web.lines()] == ["sms_received", "email_received"]


UNSIGNED: dict[str, tuple[dict[str, str], dict[str, str], int]] = {
    "from elsewhere": (ELSEWHERE, {}, 403),
    "through a proxy": (LOCAL, {"X-Forwarded-For": "127.0.0.1"}, 403),
    "by a web page": (LOCAL, {"Origin": "https://evil.example"}, 403),
    "to a rebound name": (LOCAL, {"Host": "evil.example"}, 403),
    "with a wrong signature": (LOCAL, {"X-Twilio-Signature": "wrong"}, 403),
    "with an empty signature": (LOCAL, {"X-Twilio-Signature": ""}, 403),
    "from this machine": (LOCAL, {}, 200),
}


@pytest.mark.parametrize("name", UNSIGNED)
def test_an_unsigned_text_is_taken_from_this_machine_only(web: Web, name: str) -> None:
    """In sandbox mode; it is marked, and the README's plain curl without MessageSid works."""
    environ, headers, status = UNSIGNED[name]
    body = b"From=%2B15551234567&To=%2B15559876543&Body=Test+message"
    answer = web.client().post("/sms/inbound", data=body, content_type=FORM, headers=headers, environ_overrides=environ)
    assert (answer.status_code, answer.text) == (status, EMPTY_TWIML if status == 200 else "")
    if status == 200:
        event = only_message(web).event
        assert isinstance(event, SmsReceived)
        assert (event.signed, event.provider_id[:2], len(event.provider_id)) == (False, "SM", 34)
    else:
        assert web.stored() == []
        assert [kind for kind, _ in web.lines()] == ["refused"]


def test_outside_of_sandbox_mode_nothing_unsigned_is_taken(redis_url: str) -> None:
    """Not even from loopback."""
    with opened(redis_url, sandbox="off") as web:
        body = b"From=%2B15551234567&To=%2B15559876543&Body=x"
        assert web.client().post("/sms/inbound", data=body, content_type=FORM).status_code == 403
        assert web.client().post("/email/inbound", data=multipart_body(mail_fields()), content_type=MULTIPART).status_code == 403
        assert web.mail(token="").status_code == 403
        assert web.lines() == [("refused", "unsigned"), ("refused", "unsigned"), ("refused", "bad_secret")]


BROKEN = form_body(sms_fields(Body="a\0b")) + b"%ff%ed%a0%80"  # the SDK cannot sign these bytes, and Twilio never sends them
BAD_TEXTS: dict[str, tuple[dict[str, Any], int, tuple[str, str]]] = {
    "no MessageSid": ({"MessageSid": None, "SmsMessageSid": None}, 400, ("refused", "missing_sid")),
    "no From": ({"From": None}, 400, ("refused", "missing_from")),
    "empty To": ({"To": ""}, 400, ("refused", "missing_to")),
    "another account": ({"AccountSid": "AC" + "9" * 32}, 403, ("refused", "wrong_account")),
    "wrong signature": ({"signature": "c2lnbmF0dXJl"}, 403, ("refused", "bad_signature")),
    "no signature": ({"signature": ""}, 403, ("refused", "unsigned")),
    "scheme of the proxy": (
        {"signature": twilio_signature("http://boss.example.com/sms/inbound", form_body(sms_fields()))}, 403, ("refused", "bad_signature"),
    ),
    "body of another text": ({"signature": twilio_signature(PUBLIC_URL + "/sms/inbound", b"Body=x")}, 403, ("refused", "bad_signature")),
    "a name that is none": ({"f0NumMedia": "0", "NumMedia": None}, 400, ("refused", "ambiguous_form")),
    "half an id": ({"MessageSid": "SM1"}, 400, ("refused", "bad_sid")),
    "too many fields": ({"body": b"a=1&" * 2000}, 400, ("refused", "too_many_fields")),
    "over 64 KiB": ({"body": b"Body=" + b"x" * 65_536}, 413, ("refused", "too_large")),
    "a short code": ({"From": "72345"}, 200, ("ignored", "bad_sender")),
    "WhatsApp": ({"From": "whatsapp:+15551234567"}, 200, ("ignored", "whatsapp")),
    "RCS": ({"From": "rcs:+15551234567", "To": "rcs:boss_agent"}, 200, ("ignored", "rcs")),
    "a stranger": ({"From": "+15557654321"}, 200, ("ignored", "stranger")),
    "nothing": ({"Body": ""}, 200, ("ignored", "empty")),
    "help": ({"Body": "HELP", "OptOutType": "HELP"}, 200, ("ignored", "help_keyword")),
    "40 kB": ({"Body": "x" * 40_000}, 200, ("sms_received", "")),
    "NUL and half characters": (
        {"body": BROKEN, "signature": ours(AUTH_TOKEN, PUBLIC_URL + "/sms/inbound", read_form(BROKEN))}, 200, ("sms_received", ""),
    ),
    "a picture": ({"Body": "", "NumMedia": "1"}, 200, ("sms_received", "")),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_TEXTS)
def test_each_bad_text_gets_its_status_and_its_line(web: Web, name: str) -> None:
    """Never 500, never content, and what was said is never in the ledger."""
    request, status, line = BAD_TEXTS[name]
    answer = web.sms(**request)
    assert answer.status_code == status
    assert answer.text == (EMPTY_TWIML if status == 200 else "")
    assert web.lines() == [line]


def test_a_body_that_is_no_form_is_refused_after_its_signature(web: Web) -> None:
    """A stranger is told 403 whatever he posts; only Twilio would hear 400."""
    signed = {"X-Twilio-Signature": twilio_signature(PUBLIC_URL + "/sms/inbound", b"")}
    for headers, status in (({}, 403), ({"X-Twilio-Signature": "x"}, 403), (signed, 400)):
        answer = web.client().post(
            "/sms/inbound", data=b"{}", content_type="application/json", headers=headers, environ_overrides=ELSEWHERE
        )
        assert answer.status_code == status
    assert web.lines() == [("refused", "unsigned"), ("refused", "bad_signature"), ("refused", "not_a_form")]


MANY_PARTS: Fields = {**{f"attachment{number}": (f"{number}.txt", b"x") for number in range(500)}, **mail_fields()}
BAD_MAILS: dict[str, tuple[dict[str, Any], int, tuple[str, str]]] = {
    "wrong token": ({"token": "wrong"}, 403, ("refused", "bad_secret")),
    "no token": ({"token": None}, 403, ("refused", "unsigned")),
    "not a form": ({"body": b"{}", "content_type": "application/json"}, 400, ("refused", "not_a_form")),
    "no From": ({"from": None, "headers": "To: boss@example.com\n"}, 400, ("refused", "missing_from")),
    "no To": ({"to": None, "envelope": None, "headers": "From: user@example.com\n"}, 400, ("refused", "missing_to")),
    "no envelope": ({"envelope": None}, 200, ("email_received", "")),
    "two authors": ({"from": "user@example.com, b@example.com"}, 200, ("ignored", "two_addresses")),
    "forged From": ({"dkim": "{@evil.example : pass}", "SPF": "fail"}, 200, ("ignored", "unauthenticated")),
    "a robot": ({"headers": "From: user@example.com\nAuto-Submitted: auto-replied\n"}, 200, ("ignored", "auto_submitted")),
    "a bounce": ({"envelope": '{"to":["boss@example.com"],"from":""}'}, 200, ("ignored", "return_path")),
    "a stranger": ({"from": "x@example.com", "headers": None}, 200, ("ignored", "stranger")),
    "for nobody here": ({"envelope": '{"to":["sales@example.com"],"from":"user@example.com"}'}, 200, ("ignored", "unknown_recipient")),
    "for no address": ({"envelope": '{"to":["nonsense"],"from":"user@example.com"}'}, 200, ("ignored", "unknown_recipient")),
    "500 parts": ({"body": multipart_body(MANY_PARTS)}, 200, ("email_received", "")),
    "a 700 kB text": ({"text": "word " * 140_000}, 200, ("email_received", "")),
    "an unknown charset": ({"text": b"Gr\xfc\xdfe", "charsets": '{"text":"x-none"}'}, 200, ("email_received", "")),
    "HTML only": ({"text": None, "html": "<p>Hello</p>"}, 200, ("email_received", "")),
    "NUL and half characters": ({"text": b"a\x00b\xed\xa0\x80"}, 200, ("email_received", "")),
    "a hostile file name": ({"attachment1": ("../../x\r\n.exe", b"MZ")}, 200, ("email_received", "")),
    "a broken raw mail": ({"headers": None, "text": None, "email": b"\xff\x00("}, 200, ("ignored", "bad_headers")),
    "no headers": ({"headers": None}, 200, ("ignored", "bad_headers")),
    "a field twice": (
        {"text": f'x\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; name="SPF"\r\n\r\npass'},
        200,
        ("ignored", "bad_form"),
    ),
    "half a form": ({"body": multipart_body(mail_fields())[:-6]}, 503, ("refused", "truncated")),
    "a form without its last field": ({"body": multipart_body(mail_fields()).rpartition(b"\r\n--")[0]}, 503, ("refused", "truncated")),
    "a name with a comma": ({"from": "M\u00fcller, Ada <user@example.com>"}, 200, ("email_received", "")),
    "a deep From": ({"from": "(" * 1900 + "user@example.com"}, 200, ("ignored", "bad_from")),
}


@pytest.mark.parametrize("name", BAD_MAILS)
def test_each_bad_mail_gets_its_status_and_its_line(web: Web, name: str) -> None:
    """SendGrid repeats a 5xx only: a 4xx is for what no repetition mends."""
    request, status, line = BAD_MAILS[name]
    answer = web.mail(**request)
    assert (answer.status_code, answer.text) == (status, "")
    assert web.lines() == [line]


def test_a_signed_mail_is_checked_over_its_raw_bytes(redis_url: str) -> None:
    """With a key set the secret opens nothing, and one changed byte is refused."""
    body = multipart_body(mail_fields(text=b"Gr\xfc\xdfe", attachment1=("x.bin", bytes(range(256)))))
    signature = base64.b64encode(KEY.sign(b"1795000000" + body, ec.ECDSA(hashes.SHA256()))).decode()
    headers = {"X-Twilio-Email-Event-Webhook-Signature": signature, "X-Twilio-Email-Event-Webhook-Timestamp": "1795000000"}
    with opened(redis_url, sendgrid_inbound_public_key=PUBLIC_KEY) as web:

        def post(data: bytes, headers: dict[str, str], path: str = "/email/inbound") -> int:
            return web.client().post(path, data=data, content_type=MULTIPART, headers=headers, environ_overrides=ELSEWHERE).status_code

        assert post(body, {}, f"/email/inbound?token={SECRET}") == 403
        assert post(body.replace(b"Lunch", b"Launch"), headers) == 403
        assert post(body, headers) == 200
        assert [kind for kind, _ in web.lines()] == ["refused", "refused", "email_received"]


def test_the_secret_may_come_as_a_password(web: Web) -> None:
    """HTTP basic auth in the webhook's URL."""
    body = multipart_body(mail_fields())
    for password, status in (("wrong", 403), (SECRET, 200)):
        answer = web.client().post(
            "/email/inbound", data=body, content_type=MULTIPART, auth=("boss", password), environ_overrides=ELSEWHERE
        )
        assert answer.status_code == status


def test_a_key_that_is_none_stops_the_start(redis_url: str) -> None:
    """The setting is named before anything listens."""
    with pytest.raises(ConfigurationError, match="SENDGRID_EVENTS_PUBLIC_KEY"), opened(redis_url, sendgrid_events_public_key="x"):
        pass


def test_stop_and_start_are_recorded_and_not_answered(web: Web) -> None:
    """Between them nothing is answered; YES opts in only who is out, and is a word like any other else."""
    said = ["YES", "STOP", "hello", "yes", "hello again", "stop", "START"]
    for number, body in enumerate(said):
        assert web.sms(Body=body, MessageSid=sid(number)).status_code == 200
    assert web.lines() == [
        ("sms_received", ""),
        ("ignored", "opt_out"), ("opted_out", ""),
        ("ignored", "opted_out"),
        ("ignored", "opt_in"), ("opted_in", ""),
        ("sms_received", ""),
        ("ignored", "opt_out"), ("opted_out", ""),
        ("ignored", "opt_in"), ("opted_in", ""),
    ]  # fmt: skip


def test_a_mail_to_two_of_ours_is_two_messages(redis_url: str, tmp_path: Any) -> None:
    """Each Boss answers its own; a retry changes nothing."""
    table = '[[users]]\nusername="{0}"\nemail="user@example.com"\nboss_email="{0}@example.com"\n'
    (tmp_path / "users.toml").write_text(table.format("boss") + table.format("chef"))
    with opened(redis_url, boss_users_file=tmp_path / "users.toml") as web:
        envelope = json.dumps({"to": ["boss@example.com", "chef@example.com", "nobody@example.com"], "from": "user@example.com"})
        for _ in range(2):
            assert web.mail(envelope=envelope).status_code == 200
        assert web.lines() == [("email_received", ""), ("email_received", ""), ("ignored", "unknown_recipient")]


def test_the_same_webhook_20_times_at_once_is_one_message(web: Web) -> None:
    """Twenty threads, twenty times the same answer, one record; and again when the scripts are gone."""
    body = payload("sms_plain.form")
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: web.sms(body=body).status_code, range(20)))
    web.redis.script_flush()
    answers.append(web.sms(body=body).status_code)
    assert answers == [200] * 21
    assert len(web.stored()) == 1
    assert web.lines() == [("sms_received", "")]


def test_a_forged_copy_that_comes_first_does_not_swallow_the_genuine_mail(web: Web) -> None:
    """The copies differ only in what SendGrid says of them: the forged one is ignored, however often, the genuine one accepted once."""
    forged: dict[str, Any] = {"dkim": "none", "SPF": "none"}
    answers = [web.mail(**forged), web.mail(**forged), web.mail(), web.mail()]
    assert [answer.status_code for answer in answers] == [200] * 4
    assert web.lines() == [("ignored", "unauthenticated"), ("email_received", "")]


def test_a_garbled_login_is_a_wrong_one(redis_url: str) -> None:
    """Who sends credentials is judged by them, in sandbox mode on loopback too."""
    with opened(redis_url) as web:
        body = multipart_body(mail_fields())
        answer = web.client().post("/email/inbound", data=body, content_type=MULTIPART, headers={"Authorization": "Basic !!!!"})
        assert answer.status_code == 403
        assert web.lines() == [("refused", "bad_secret")]


def test_script_flush_at_any_time_loses_nothing(web: Web) -> None:
    """Scripts vanish while 100 different texts and refusals come in: each 200 is stored."""
    done = threading.Event()

    def flush() -> None:
        with Redis.from_url(web.runtime.settings.redis_url.get_secret_value()) as client:
            while not done.is_set():
                client.script_flush()

    flusher = threading.Thread(target=flush)
    flusher.start()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: web.sms(MessageSid=sid(number)).status_code, range(100)))
        ignored = list(pool.map(lambda number: web.sms(MessageSid=sid(f"ignored {number}"), Body="").status_code, range(30)))
    done.set()
    flusher.join()
    assert (answers, ignored) == ([200] * 100, [200] * 30)
    assert sorted(record["state"] for record in web.stored()) == ["ignored"] * 30 + ["pending"] * 100


def test_at_a_full_server_a_2xx_means_on_disk(own_server: EmbeddedServer) -> None:
    """With no memory left nothing is stored in Redis and all is kept on disk; with memory again each is taken, once."""
    with opened(own_server.url) as web:
        assert web.sms(MessageSid=sid(1)).status_code == 200
        before = web.lines()
        web.redis.config_set("maxmemory", "1mb")
        answers = [web.sms(MessageSid=sid(2)), web.mail(), web.sms(MessageSid=sid(3), Body=""), web.sms(MessageSid=sid(2))]
        assert [answer.status_code for answer in answers] == [200] * 4
        assert web.sms(MessageSid=sid(4), signature="x").status_code == 403
        assert (len(web.stored()), web.lines()) == (1, before)
        assert len(list(web.spool.glob("waiting/*.json"))) == 4
        web.redis.config_set("maxmemory", "0")
        web.emptied()
        assert web.lines() == [*before, ("sms_received", ""), ("email_received", ""), ("ignored", "empty")]


def test_with_neither_memory_nor_disk_there_is_no_2xx(own_server: EmbeddedServer) -> None:
    """The answer is 503 and nothing is stored anywhere; with memory again the retry is taken, once."""
    with opened(own_server.url, spool_min_free_mb=10**9) as web:
        assert web.sms(MessageSid=sid(1)).status_code == 200
        before = web.lines()
        web.redis.config_set("maxmemory", "1mb")
        answers = [web.sms(MessageSid=sid(2)), web.mail(), web.sms(MessageSid=sid(3), Body="")]
        assert [(answer.status_code, answer.headers["Retry-After"]) for answer in answers] == [(503, "5")] * 3
        ready = web.client().get("/readyz")
        assert (ready.status_code, ready.json and ready.json["status"]) == (503, "unavailable")
        assert (len(web.stored()), web.lines(), list(web.spool.glob("*/*"))) == (1, before, [])
        web.redis.config_set("maxmemory", "0")
        assert web.client().get("/readyz").status_code == 200
        assert [web.sms(MessageSid=sid(2)).status_code, web.sms(MessageSid=sid(2)).status_code, web.mail().status_code] == [200] * 3
        assert [kind for kind, _ in web.lines()] == ["sms_received", "sms_received", "email_received"]


def test_a_script_that_fails_earns_no_2xx(web: Web) -> None:
    """Neither the message nor its job is there: what counts is the script's own answer."""
    sender = web.runtime.identities.sender(PhoneNumber("+15551234567"))
    web.redis.set(f"boss:rate:{sender}", "not a list")
    assert web.sms().status_code == 503
    assert (web.stored(), web.runtime.dispatcher.queue.count) == ([], 0)
    web.redis.delete(f"boss:rate:{sender}")
    assert web.sms().status_code == 200
    assert only_message(web).event is not None


@pytest.mark.parametrize("how", ["stop", "freeze"])
def test_without_redis_the_answer_is_a_2xx_in_time(own_server: EmbeddedServer, how: str) -> None:
    """Refused or hanging, within 2.5 s, and at once after the first; a forged request is still 403."""
    with opened(own_server.url) as web:
        assert web.sms(MessageSid=sid(1)).status_code == 200
        getattr(own_server, how)()
        try:
            calls_made: list[tuple[int, float, Callable[[], TestResponse]]] = [
                (200, 2.5, lambda: web.sms(MessageSid=sid(2))),
                (403, 0.5, lambda: web.sms(signature="x")),
                (200, 0.5, web.mail),
            ]
            for expected, limit, call in calls_made:
                start = time.monotonic()
                assert call().status_code == expected
                assert time.monotonic() - start < limit
            assert web.client().get("/livez").json == {"status": "ok"}
            ready = web.client().get("/readyz")
            assert ready.status_code == 200
            assert ready.json
            assert (ready.json["status"], ready.json["redis"], ready.json["spool"]["depth"]) == ("spooling", "away", 2)
        finally:
            own_server.thaw() if how == "freeze" else own_server.start()
        web.emptied()
        assert web.sms(MessageSid=sid(2)).status_code == 200
        assert [kind for kind, _ in web.lines() if kind != "refused"] == ["sms_received", "sms_received", "email_received"]
        assert (web.client().get("/readyz").json or {})["status"] == "ok"


def test_reports_on_a_text_are_recorded_whatever_their_order(web: Web) -> None:
    """The query says which reply; `sent` after `delivered` changes nothing; so does a repeat."""
    assert send_a_reply(web).state is ReplyState.SENDING
    path = "/sms/status?reply=r-1&attempt=a-1"
    for status in ("sent", "delivered", "queued", "delivered"):
        answer = web.sms(path, body=form_body({"MessageSid": sid("out"), "MessageStatus": status, "AccountSid": "AC" + "0" * 32}))
        assert (answer.status_code, answer.text) == (204, "")
    assert reply(web).state is ReplyState.DELIVERED
    assert reply(web).attempts[0].provider_id == sid("out")


def test_a_report_that_is_not_ours_changes_nothing(web: Web) -> None:
    """Unknown ids get a 2xx, forged ones a 403, and the query is covered by the signature."""
    send_a_reply(web)
    body = form_body({"MessageSid": sid("out"), "MessageStatus": "failed", "ErrorCode": "30003"})
    assert web.sms("/sms/status?reply=r-9&attempt=a-9", body=body).status_code == 204
    assert web.sms("/sms/status?reply=r/../9", body=body).status_code == 204
    assert web.sms("/sms/status", body=form_body({"MessageSid": sid("x"), "MessageStatus": "exploded"})).status_code == 204
    assert web.sms("/sms/status", body=form_body({"MessageStatus": "failed"})).status_code == 400
    forged = twilio_signature(f"{PUBLIC_URL}/sms/status?reply=r-2", body)
    assert web.sms("/sms/status?reply=r-1&attempt=a-1", body=body, signature=forged).status_code == 403
    assert reply(web).state is ReplyState.SENDING
    assert web.sms("/sms/status?reply=r-1&attempt=a-1", body=body).status_code == 204
    assert reply(web).state is ReplyState.FAILED


def test_events_of_mails_are_recorded_and_signed(redis_url: str) -> None:
    """SendGrid's batch, with its key; a changed byte is refused."""
    batch = json.dumps([{"event": "processed", "reply": "r-1", "attempt": "a-1", "sg_message_id": "X.y"}, 5, {"event": "open"}]).encode()
    signature = base64.b64encode(KEY.sign(b"1" + batch, ec.ECDSA(hashes.SHA256()))).decode()
    headers = {"X-Twilio-Email-Event-Webhook-Signature": signature, "X-Twilio-Email-Event-Webhook-Timestamp": "1"}
    with opened(redis_url, sendgrid_events_public_key=PUBLIC_KEY) as web:
        send_a_reply(web)

        def post(data: bytes) -> int:
            return web.client().post("/email/events", data=data, headers=headers, environ_overrides=ELSEWHERE).status_code

        assert post(batch + b" ") == 403
        assert reply(web).state is ReplyState.SENDING
        assert post(batch) == 204
        assert (reply(web).state, reply(web).attempts[0].provider_id) == (ReplyState.SENT, "X")


def test_events_that_are_no_list_are_bad_input(web: Web) -> None:
    """With the secret, since no key is set."""
    for data, token, status in ((b"{}", SECRET, 400), (b"\xff", SECRET, 400), (b"[]", SECRET, 204), (b"[]", "x", 403)):
        assert web.client().post(f"/email/events?token={token}", data=data, environ_overrides=ELSEWHERE).status_code == status


def test_no_other_path_and_method_says_anything(web: Web) -> None:
    """Empty bodies, no server's error page."""
    for method, path, status in (("get", "/", 404), ("get", "/sms/inbound", 405), ("post", "/livez", 405), ("get", "/metrics/../x", 404)):
        answer = getattr(web.client(), method)(path)
        assert (answer.status_code, answer.text) == (status, "")


def test_nothing_that_was_said_or_who_said_it_reaches_ledger_jobs_or_logs(web: Web, capfd: pytest.CaptureFixture[str]) -> None:
    """Numbers, addresses, words and secrets stand in the records only."""
    web.sms(Body="canary words")
    web.sms(Body="canary words", signature="canary")
    web.sms(Body="canary words", From="canary", MessageSid=sid(9))
    web.mail(text="canary words")
    web.mail(text="canary words", token="canary")
    web.mail(**cast("dict[str, Any]", {"from": "canary@example.com"}))
    seen = str([line.fields for line in ledger.latest(web.redis, 100)])
    seen += str([(job.args, job.kwargs, job.description, job.meta) for job in web.runtime.dispatcher.queue.get_jobs()])
    seen += "".join(capfd.readouterr())
    assert not [word for word in ("canary", "5551234567", "5559876543", "example.com", SECRET) if word in seen]
    assert len(cast("list[Any]", web.lines())) == 6
