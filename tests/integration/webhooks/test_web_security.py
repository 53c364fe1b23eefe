"""What every answer of the web process says, who may see its figures, and what a flood of forgeries or of bytes does to it."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import Any, Final, Self, cast

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import TestResponse

from shared.security.password import FREE_GUESSES
from tests.payloads import FORM, MULTIPART, Fields, form_body, mail_fields, multipart_body, sid, sms_fields
from tests.support.webhook_client import ELSEWHERE, PUBLIC_URL, SECRET, Web, only_message, opened, send_a_reply, twilio_signature
from webhook_api.app import MAX_QUERY_BYTES
from webhook_api.email import inbound_routes
from webhook_api.operations.metrics import MetricsPage
from webhook_api.security.authentication import WebhookAuthenticator
from webhook_api.sms import routes

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
PASSWORD: Final = "a password of the tests"
KEY: Final = ec.generate_private_key(ec.SECP256R1())
PUBLIC_KEY: Final = base64.b64encode(KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


@pytest.fixture
def web(redis_url: str) -> Iterator[Web]:
    """The application on the emptied server."""
    with opened(redis_url) as running:
        yield running


ANSWERS: Final[dict[str, tuple[str, str, int]]] = {
    "no such page": ("GET", "/", 404),
    "another spelling": ("POST", "/sms//inbound", 404),
    "no such method": ("GET", "/sms/inbound", 405),
    "what may be asked": ("OPTIONS", "/sms/inbound", 200),
    "alive": ("GET", "/livez", 200),
    "alive, without content": ("HEAD", "/livez", 200),
    "ready": ("GET", "/readyz", 200),
    "figures": ("GET", "/metrics", 200),
    "unsigned": ("POST", "/sms/status", 400),
    "too large": ("POST", "/email/events", 413),
    "a long query": ("POST", f"/sms/inbound?{'x' * (MAX_QUERY_BYTES + 1)}", 414),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_every_answer_has_the_security_headers(web: Web, name: str) -> None:
    """Also errors, and each header once."""
    method, path, status = ANSWERS[name]
    body = b"x" * 5_000_000 if status == 413 else b""
    query = "?token=" + SECRET if status == 413 else ""
    answer = web.client().open(path + query, method=method, data=body)
    assert answer.status_code == status
    assert {key: answer.headers.getlist(key) for key in HEADERS} == {key: [value] for key, value in HEADERS.items()}
    assert method != "HEAD" or answer.data == b""


def test_a_taken_message_and_a_fault_of_ours_have_them_too(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """200 for a text and a mail, 503 and 500."""
    answers = [web.sms(), web.mail()]
    monkeypatch.setattr(routes, "parse_sms", lambda _form: 1 / 0)
    answers.append(web.sms())
    assert [answer.status_code for answer in answers] == [200, 200, 500]
    for answer in answers:
        assert {key: answer.headers.get(key) for key in HEADERS} == HEADERS


# figures


def figures(answer: TestResponse) -> dict[str, float]:
    """Name, with its labels' values, to figure."""
    families = text_string_to_metric_families(answer.text)
    return {" ".join((sample.name, *sample.labels.values())): sample.value for family in families for sample in family.samples}


def test_the_figures_tell_what_waits_and_what_happened(web: Web) -> None:
    """Counts and ages, of this server and this process; no id, no number, no address, no text."""
    send_a_reply(web)
    web.sms(MessageSid=sid("final"), Body="canary words")
    web.sms(signature="wrong")
    web.mail(token="wrong")
    answer = web.client().get("/metrics")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    found = figures(answer)
    expected = {
        "bossline_redis_up": 1, "bossline_messages_open": 2, "bossline_conversations_due": 1, "bossline_messages_parked": 0,
        "bossline_sending_paused": 0, "bossline_spool_entries": 0, "bossline_spool_aside": 0, "bossline_workers": 0,
        "bossline_replies_total sending": 1, "bossline_events_total sms_received": 2, "bossline_leases_lost_total": 0,
        "bossline_refused_total sms bad_signature": 1, "bossline_refused_total email bad_secret": 1,
    }  # fmt: skip
    assert {name: found.get(name) for name in expected} == expected
    assert found["bossline_queue_jobs"] >= 1
    assert 0 < found["bossline_messages_open_oldest_seconds"] < 60
    assert found["process_resident_memory_bytes"] > 1_000_000
    assert not [word for word in ("canary", "+1555", "5551234567", "example.com", "c-", "m-", "SM") if word in answer.text]


def test_segments_are_counted_by_country_and_encoding(web: Web) -> None:
    """What Twilio took and bills; no refusal of a webhook is among them."""
    web.redis.hset("boss:counts", mapping={"segments:US:GSM-7": 6, "segments:DE:UCS-2": 2})
    found = figures(web.client().get("/metrics"))
    assert (found["bossline_sms_segments_total GSM-7 US"], found["bossline_sms_segments_total UCS-2 DE"]) == (6, 2)
    assert not [name for name in found if name.startswith("bossline_refused_total")]


def test_a_wrong_clock_of_this_host_does_not_age_the_queue(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """How long its first job has waited is told by the server's clock."""

    class Slow(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(time.time() - 600, tz)

    with monkeypatch.context() as here:
        here.setattr("shared.mailbox.wake_queue.datetime", Slow)
        web.mail()
    found = figures(web.client().get("/metrics"))
    assert found["bossline_queue_jobs"] == 1
    assert 0 <= found["bossline_queue_oldest_seconds"] < 60


def test_a_live_worker_is_counted_and_a_dead_one_is_not(web: Web) -> None:
    """By when it was last heard of; a standby is counted by itself."""
    for name, seconds in (("one", 1), ("gone", 3600), ("standby@two", 1)):
        beat = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(time.time() - seconds))
        web.redis.hset(f"rq:worker:{name}", "last_heartbeat", beat)
        web.redis.sadd("rq:workers", f"rq:worker:{name}")
    found = figures(web.client().get("/metrics"))
    assert (found["bossline_workers"], found["bossline_standbys_working"]) == (1, 1)


def test_however_many_ask_redis_is_asked_once_a_second(web: Web) -> None:
    """Two round trips and a PING, whatever is stored."""
    intake = web.intake
    now = [0.0]
    shown = MetricsPage(intake, lambda: now[0])
    web.redis.config_resetstat()
    for moment, looks in ((0.0, 1), (0.9, 1), (1.0, 2), (1.9, 2)):
        now[0] = moment
        assert len({shown.text() for _ in range(20)}) == 1
        stats = cast("dict[str, dict[str, int]]", web.redis.info("commandstats"))
        assert stats["cmdstat_xlen"]["calls"] == looks
    assert not {"cmdstat_keys", "cmdstat_scan", "cmdstat_lrange"} & set(stats)


def test_without_redis_the_figures_say_so_and_show_no_old_ones(redis_url: str) -> None:
    """What this host has on disk is shown all the same."""
    with opened(f"{redis_url}.away") as web:
        found = figures(web.client().get("/metrics"))
    assert found["bossline_redis_up"] == 0
    assert "bossline_messages_open" not in found
    assert found["bossline_spool_room_bytes"] > 0


FROM: Final[dict[str, tuple[dict[str, str], dict[str, str]]]] = {
    "elsewhere": (ELSEWHERE, {}),
    "behind a proxy": ({}, {"X-Forwarded-For": "127.0.0.1"}),
    "a rebound name": ({}, {"Host": "evil.example"}),
    "a page": ({}, {"Origin": "https://evil.example"}),
}


@pytest.mark.parametrize("place", FROM)
def test_figures_are_for_this_machine_alone_unless_there_is_a_password(redis_url: str, place: str) -> None:
    """404 without one, as if there were nothing; with one it is asked for."""
    environ, headers = FROM[place]
    with opened(redis_url) as web:
        assert web.client().get("/metrics", headers=headers, environ_overrides=environ).status_code == 404
        assert web.client().get("/metrics", headers=headers, environ_overrides=environ, auth=("", "")).status_code == 404
    with opened(redis_url, console_password=PASSWORD) as web:

        def ask(**more: Any) -> TestResponse:
            return web.client().get("/metrics", headers={**headers, **more.pop("headers", {})}, environ_overrides=environ, **more)

        asked = ask()
        assert (asked.status_code, asked.data, asked.headers["WWW-Authenticate"][:5]) == (401, b"", "Basic")
        assert ask(auth=("boss", PASSWORD)).status_code == 200
        for wrong in ("", "wrong", PASSWORD[:-1]):
            assert ask(auth=("boss", wrong)).status_code == 401
        for garbled in ("Basic", "Basic !!!", "Bearer " + PASSWORD, "Basic " + base64.b64encode(b"\xff:\xff").decode()):
            assert ask(headers={"Authorization": garbled}).status_code == 401


def test_guessing_the_password_is_slow_and_does_not_keep_this_machine_out(redis_url: str) -> None:
    """After ten guesses an answer takes a second, also to the right one; who asks from here is not asked for it."""
    with opened(redis_url, console_password=PASSWORD) as web:

        def ask(password: str) -> int:
            return web.client().get("/metrics", environ_overrides=ELSEWHERE, auth=("boss", password)).status_code

        assert {ask("guess") for _ in range(FREE_GUESSES + 1)} == {401}
        start = time.monotonic()
        assert ask(PASSWORD) == 200
        assert time.monotonic() - start > 0.5
        assert web.client().get("/metrics").status_code == 200


# floods


def test_forged_requests_use_up_nobodys_budget_and_fill_no_ledger(redis_url: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A thousand in the name of a user: at most thirty lines a kind in ledger and log, no turn of the user's hour, no id that is seen."""
    with opened(redis_url, sender_turns_per_hour=1) as web:
        body = form_body(sms_fields())
        client = web.client()
        for number in range(1_000):
            headers = {"X-Twilio-Signature": f"forged {number}"} if number % 2 else {}
            answer = client.post("/sms/inbound", data=body, content_type=FORM, headers=headers, environ_overrides=ELSEWHERE)
            assert answer.status_code == 403
        lines = web.lines()
        assert {line: lines.count(line) for line in set(lines)} == {("refused", "bad_signature"): 30, ("refused", "unsigned"): 30}
        assert "".join(capfd.readouterr()).count("Refused a request.") == 60
        assert not web.redis.keys("boss:rate:*") + web.redis.keys("boss:seen:*")
        assert web.sms(body=body).status_code == 200
        assert web.lines()[-1] == ("sms_received", "")
        assert figures(web.client().get("/metrics"))["bossline_refused_total sms unsigned"] == 500


def test_a_form_of_over_two_hundred_fields_is_refused(web: Web) -> None:
    """Twilio's has twenty-some; the signature would have to be computed over all."""
    fields = form_body(sms_fields())
    count = fields.count(b"&") + 1
    most = fields + b"".join(b"&x%d=1" % number for number in range(200 - count))
    assert web.sms(body=most).status_code == 200
    assert web.sms(body=most + b"&y=1").status_code == 400
    assert web.lines() == [("sms_received", ""), ("refused", "too_many_fields")]


def test_a_long_query_is_refused_before_anything_is_computed(web: Web) -> None:
    """4 KiB are enough for the parameters that we put there ourselves; a signed one that is longer is refused as well."""
    body = form_body({"MessageSid": sid(1), "MessageStatus": "sent"})
    for length, status in ((MAX_QUERY_BYTES - 2, 204), (MAX_QUERY_BYTES - 1, 414)):
        path = f"/sms/status?a={'x' * length}"
        answer = web.client().post(
            path, data=body, content_type=FORM, headers={"X-Twilio-Signature": twilio_signature(PUBLIC_URL + path, body)},
            environ_overrides=ELSEWHERE,
        )  # fmt: skip
        assert answer.status_code == status
    assert web.lines() == [("refused", "long_query")]


# a mail that is too large

LIMIT: Final = 100_000
CHUNKED: Final[dict[str, Any]] = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
FILES: Final[Fields] = {"attachment1": ("big.bin", b"x" * (LIMIT + 1)), "late": ("late.bin", b"y")}
LARGE: Final[Fields] = {**mail_fields(text="What is in the file?", dkim=None, SPF=None), **FILES, "SPF": "pass"}


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that a test can pass without moving 35 MB."""
    monkeypatch.setattr(inbound_routes, "MAX_MAIL_BYTES", LIMIT)


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("key", ["", PUBLIC_KEY])
def test_a_mail_that_is_too_large_is_taken_with_what_was_read_of_it(redis_url: str, key: str) -> None:
    """200, since a 4xx would lose it: its text is answered, and says that there was more. The signature covers what is not kept."""
    body = multipart_body(LARGE)
    headers = {
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(KEY.sign(b"1" + body, ec.ECDSA(hashes.SHA256()))).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": "1",
    }
    path = "/email/inbound" if key else f"/email/inbound?token={SECRET}"
    with opened(redis_url, sendgrid_inbound_public_key=key) as web:

        def post(data: bytes) -> int:
            answer = web.client().post(path, data=data, content_type=MULTIPART, headers=headers if key else {}, environ_overrides=ELSEWHERE)
            return answer.status_code

        assert [post(body), post(body)] == [200, 200]  # SendGrid's retry is the same mail
        event: Any = only_message(web).event
        assert (event.body, event.attachments) == (f"What is in the file?\n\n{inbound_routes.TRUNCATED_NOTE}", ("big.bin", "late.bin"))
        assert event.signed
        assert not key or post(body[:-20] + b"z" + body[-19:]) == 403


@pytest.mark.usefixtures("_small")
def test_half_of_a_mail_that_is_too_large_is_not_taken(web: Web) -> None:
    """Its retry brings the whole; nor is one that never ends read for ever."""
    body = multipart_body(LARGE)
    path, environ = f"/email/inbound?token={SECRET}", {**ELSEWHERE, "CONTENT_LENGTH": str(len(body) + 9)}
    assert web.client().post(path, data=body, content_type=MULTIPART, environ_overrides=environ).status_code == 503
    for data, status in ((body[:-9], 503), (body, 200)):
        assert web.client().post(path, data=data, content_type=MULTIPART, environ_overrides=ELSEWHERE | CHUNKED).status_code == status
    assert web.lines() == [("refused", "truncated")] * 2 + [("email_received", "")]


@pytest.mark.usefixtures("_small")
def test_a_mail_without_end_is_refused_in_the_end(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """256 MB are read at most, whether its length is said or not; beyond that it is no mail."""
    monkeypatch.setattr("webhook_api.http.request_body.MAX_BYTES", LIMIT + 1000)
    body, path = multipart_body({**LARGE, "more": ("more.bin", b"x" * 2000)}), f"/email/inbound?token={SECRET}"
    for more in ({}, CHUNKED):
        answer = web.client().post(path, data=body, content_type=MULTIPART, environ_overrides={**ELSEWHERE, **more})
        assert answer.status_code == 413
    assert web.lines() == [("refused", "too_large")] * 2


def test_a_mail_of_a_hundred_thousand_parts_is_taken_in_bounded_time(web: Web) -> None:
    """What its author wrote stands first; five thousand parts are looked at."""
    body = multipart_body(mail_fields(text="Hi"))
    head, line, rest = body.rpartition(b"\r\n--")
    boundary = rest.rstrip().removesuffix(b"--")
    part = b"\r\n--" + boundary + b'\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\nx'
    start = time.monotonic()
    assert web.mail(body=head + part * 100_000 + line + rest).status_code == 200
    assert time.monotonic() - start < 10
    event: Any = only_message(web).event
    assert (event.body, len(event.attachments)) == ("Hi", 200)


class Unread:
    """A body that nobody may ask for."""

    def read(self, _size: int = -1) -> bytes:
        """Asked for all the same."""
        raise AssertionError("the body was read")


@pytest.mark.parametrize("path", ["/sms/inbound", "/sms/status", "/email/inbound", "/email/events"])
@pytest.mark.parametrize("signature", [None, "x", "A" * 29])
def test_what_carries_no_proof_is_refused_before_its_body_is_read(web: Web, path: str, signature: str | None) -> None:
    """No signature, or something that no signature looks like; wherever it comes from but this machine."""
    headers = {"X-Twilio-Signature": signature} if signature and path.startswith("/sms") else {}
    environ = {**ELSEWHERE, "wsgi.input": Unread(), "wsgi.input_terminated": True, "CONTENT_LENGTH": "500"}
    answer = web.client().post(path, headers=headers, content_type=FORM, environ_overrides=environ)
    assert answer.status_code == 403


def test_in_production_the_server_takes_no_body_of_what_carries_no_proof(web: Web) -> None:
    """Before a worker has it; in sandbox mode a plain `curl` is read."""
    production = replace(WebhookAuthenticator.of(web.runtime.settings), settings=web.runtime.settings.model_copy(update={"sandbox": "off"}))
    proofs: list[dict[str, str]] = [{}, {"HTTP_X_TWILIO_SIGNATURE": "x"}, {"QUERY_STRING": "token=x"}, {"HTTP_AUTHORIZATION": "Basic x"}]
    assert [production.may_read(environ) for environ in proofs] == [False, True, True, True]
    assert WebhookAuthenticator.of(web.runtime.settings).may_read({})
