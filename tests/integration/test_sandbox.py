"""The sandbox as its users meet it: a process on a port, spoken to with the providers' real SDKs."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import anthropic
import pytest
import requests
from python_http_client.exceptions import HTTPError as SendGridError
from sendgrid import SendGridAPIClient
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client
from werkzeug.formparser import parse_form_data

from tests.support.sandbox import SandboxProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from werkzeug.datastructures import MultiDict

ACCOUNT = "AC" + "a" * 32
TOKEN = "twilio-token"
USER, BOSS = "+15551234567", "+15559876543"
RETRY_AFTER = 7


class Hook(ThreadingHTTPServer):
    """A product that takes every webhook and remembers it, raw."""

    def __init__(self) -> None:
        """Listen on a free port."""
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        super().__init__(("127.0.0.1", 0), HookHandler)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


class HookHandler(BaseHTTPRequestHandler):
    """Answers 200, or what the test has put into `statuses`."""

    def do_POST(self) -> None:
        """Take a webhook."""
        assert isinstance(self.server, Hook)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, dict(self.headers.items()), body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    server = Hook()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def process(hook: Hook) -> Iterator[SandboxProcess]:
    env = {
        "SANDBOX_WEBHOOK_URL": hook.url,
        "SANDBOX_PUBLIC_URL": "https://boss.example.com",
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "SENDGRID_API_KEY": "SG.key",
        "EMAIL_WEBHOOK_SECRET": "mail secret",
        "ANTHROPIC_API_KEY": "sk-ant",
    }
    with SandboxProcess(**env) as running:
        yield running


@pytest.fixture
def sandbox(process: SandboxProcess, hook: Hook) -> SandboxProcess:
    process.reset()
    hook.seen.clear()
    hook.statuses.clear()
    process.knobs(twilio={"callback_delay_seconds": 0}, sendgrid={"event_delay_seconds": 0})
    return process


class Rewriting(TwilioHttpClient):
    """The real client, with api.twilio.com taken to the sandbox."""

    def __init__(self, base: str, **options: Any) -> None:
        super().__init__(**options)
        self.base = base

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        """Go to the sandbox instead."""
        return super().request(method, url.replace("https://api.twilio.com", self.base), *args, **kwargs)


def twilio(sandbox: SandboxProcess, token: str = TOKEN, timeout: float = 5) -> Client:
    return Client(ACCOUNT, token, http_client=Rewriting(sandbox.url, timeout=timeout))


def sendgrid(sandbox: SandboxProcess, key: str = "SG.key") -> SendGridAPIClient:
    client = SendGridAPIClient(key, host=sandbox.url)
    client.client.timeout = 5
    return client


def claude(sandbox: SandboxProcess, key: str = "sk-ant") -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key=key, base_url=sandbox.url, max_retries=0, timeout=5)


def mail(**changes: Any) -> dict[str, Any]:
    document = {
        "personalizations": [{"to": [{"email": "user@example.com"}], "custom_args": {"reply_id": "r1"}}],
        "from": {"email": "boss@example.com", "name": "Boss"},
        "subject": "Re: hello",
        "content": [{"type": "text/plain", "value": "hi"}],
    }
    return document | changes


def ask(client: anthropic.Anthropic, text: str = "hello there", **options: Any) -> anthropic.types.Message:
    message: anthropic.types.Message = client.messages.create(
        model="claude-haiku-5-5", max_tokens=1000, messages=[{"role": "user", "content": text}], **options
    )
    return message


def posted(hook: Hook, path: str) -> tuple[str, dict[str, str], bytes]:
    """Return the newest webhook to a path."""
    return next(each for each in reversed(hook.seen) if each[0].partition("?")[0] == path)


def form_of(seen: tuple[str, dict[str, str], bytes]) -> MultiDict[str, str]:
    """Parse a webhook as the product's framework would."""
    path, headers, body = seen
    environ = {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": headers["Content-Type"],
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "PATH_INFO": path,
    }
    return parse_form_data(environ)[1]


# --- Twilio -------------------------------------------------------------------------------------------------------------


def test_twilio_create_is_accepted_journalled_and_fetched(sandbox: SandboxProcess) -> None:
    """A send answers with the full resource and is one accepted entry."""
    client = twilio(sandbox)
    message = client.messages.create(to=USER, from_=BOSS, body="hi there")
    assert (message.status, message.num_segments, message.direction) == ("queued", "1", "outbound-api")
    [entry] = sandbox.journal("twilio.create", accepted=True)
    assert (entry["sid"], entry["status"], entry["request"]["body"]) == (message.sid, 201, "hi there")
    assert client.messages(message.sid).fetch().body == "hi there"


def test_twilio_list_filters_pages_and_counts_newest_first(sandbox: SandboxProcess) -> None:
    """list(to=, from_=, date_sent_after=) of the SDK works, across pages."""
    client = twilio(sandbox)
    start = datetime.now(UTC) - timedelta(seconds=1)
    sent = [client.messages.create(to=USER, from_=BOSS, body=str(number)).sid for number in range(5)]
    client.messages.create(to="+15550000001", from_=BOSS, body="other")
    found = client.messages.list(to=USER, from_=BOSS, date_sent_after=start, page_size=2)
    assert [each.sid for each in found] == sent[::-1]
    assert client.messages.list(to=USER, date_sent_after=start + timedelta(hours=1)) == []
    assert len(client.messages.list(date_sent_before=start + timedelta(hours=1))) == 6
    assert len(client.messages.list(date_sent=f"{datetime.now(UTC):%Y-%m-%d}", limit=3)) == 3
    assert client.messages.list(to=USER, date_sent_before=start - timedelta(hours=1)) == []


def test_twilio_lists_what_came_in(sandbox: SandboxProcess) -> None:
    """Direction, status, both ends and media as the resource has them; To and From mean the same for both directions."""
    client = twilio(sandbox)
    start = datetime.now(UTC) - timedelta(seconds=1)
    sandbox.send_sms("one", message_sid="SM" + "1" * 32)
    sandbox.send_sms("one", message_sid="SM" + "1" * 32)
    picture = sandbox.send_sms("", media=[{"url": "https://example.com/a.jpg"}], messaging_service_sid="MG" + "1" * 32)["message_sid"]
    client.messages.create(to=USER, from_=BOSS, body="an answer")
    sandbox.send_sms("to another", to="+15559876544")
    listed = client.messages.list(to=BOSS, date_sent_after=start, page_size=1)
    assert [(each.sid, each.direction, each.status, each.num_media) for each in listed] == [
        (picture, "inbound", "received", "1"),
        ("SM" + "1" * 32, "inbound", "received", "0"),
    ]
    assert [(each.from_, each.to, each.body, each.messaging_service_sid) for each in listed] == [
        (USER, BOSS, "", "MG" + "1" * 32),
        (USER, BOSS, "one", None),
    ]
    assert all(each.date_created == each.date_sent for each in listed)
    assert [each.direction for each in client.messages.list(from_=BOSS)] == ["outbound-api"]
    assert len(client.messages.list(from_=USER)) == 3
    assert client.messages.list(to=BOSS, date_sent_after=start + timedelta(hours=1)) == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"to": "", "body": "x"}, 21604),
        ({"to": USER, "body": ""}, 21602),
        ({"to": USER, "body": "x" * 1601}, 21617),
        ({"to": "nonsense", "body": "x"}, 21211),
        ({"to": "+15005550001", "body": "x"}, 21211),
        ({"to": "+15005550002", "body": "x"}, 21612),
        ({"to": "+15005550003", "body": "x"}, 21408),
        ({"to": "+15005550004", "body": "x"}, 21610),
        ({"to": "+15005550009", "body": "x"}, 21614),
        ({"to": USER, "body": "x", "from_": "+15005550001"}, 21212),
        ({"to": USER, "body": "x", "from_": "+15005550007"}, 21606),
        ({"to": USER, "body": "x", "from_": "+15005550008"}, 21611),
        ({"to": USER, "body": "x", "from_": USER}, 21266),
    ],
)
def test_twilio_refuses_as_twilio_does(sandbox: SandboxProcess, fields: dict[str, str], code: int) -> None:
    """Each fault has its code, and is not a message anybody got."""
    with pytest.raises(TwilioRestException) as caught:
        twilio(sandbox).messages.create(**{"from_": BOSS, **fields})
    assert (caught.value.status, caught.value.code) == (400, code)
    assert sandbox.count("twilio.create") == 0
    assert sandbox.count("twilio.create", accepted=False) == 1


def test_wrong_credentials_are_401_everywhere(sandbox: SandboxProcess) -> None:
    """All three check what was configured."""
    with pytest.raises(TwilioRestException) as refused:
        twilio(sandbox, token="wrong").messages.create(to=USER, from_=BOSS, body="x")
    assert (refused.value.status, refused.value.code) == (401, 20003)
    with pytest.raises(SendGridError) as unauthorized:
        sendgrid(sandbox, "SG.wrong").send(mail())
    assert unauthorized.value.status_code == 401
    with pytest.raises(anthropic.AuthenticationError):
        ask(claude(sandbox, "wrong"))
    assert [entry["accepted"] for entry in sandbox.journal()] == [False, False, False]


def test_status_callbacks_are_signed_over_the_exact_url(sandbox: SandboxProcess, hook: Hook) -> None:
    """Queued, sent and delivered arrive in order, signed with the query string, at this machine."""
    callback = "https://boss.example.com/sms/status?reply=r%201&x"
    message = twilio(sandbox).messages.create(to=USER, from_=BOSS, body="hi", status_callback=f"{callback}#rc=5&rp=all")
    sandbox.wait("webhook.status", 3, timeout=5, accepted=True)
    forms = [form_of(each) for each in hook.seen]
    assert [form["MessageStatus"] for form in forms] == ["queued", "sent", "delivered"]
    assert {each[0] for each in hook.seen} == {"/sms/status?reply=r%201&x"}
    signature = hook.seen[-1][1]["X-Twilio-Signature"]
    assert RequestValidator(TOKEN).validate(callback, forms[-1], signature)
    assert "RawDlrDoneDate" in forms[-1]
    assert twilio(sandbox).messages(message.sid).fetch().status == "delivered"


def test_callbacks_shuffle_and_double(sandbox: SandboxProcess, hook: Hook) -> None:
    """The knobs for order and copies."""
    sandbox.knobs(twilio={"callback_order": "reversed", "callback_copies": 2, "final_status": "undelivered"})
    url = "https://boss.example.com/sms/status"
    twilio(sandbox).messages.create(to=USER, from_=BOSS, body="hi", status_callback=url)
    sandbox.wait("webhook.status", 6, timeout=5, accepted=True)
    forms = [form_of(each) for each in hook.seen]
    assert [form["MessageStatus"] for form in forms] == ["undelivered"] * 2 + ["sent"] * 2 + ["queued"] * 2
    assert forms[0]["ErrorCode"] == "30008"


def test_nothing_leaves_this_machine(sandbox: SandboxProcess) -> None:
    """A callback to a foreign host is recorded, not posted."""
    twilio(sandbox).messages.create(to=USER, from_=BOSS, body="hi", status_callback="https://192.0.2.1/status")
    entry = sandbox.wait("webhook.status", 1, timeout=5)[0]
    assert entry["status"] is None
    assert "not this machine" in entry["error"]


def test_inbound_sms_is_signed_over_the_public_url(sandbox: SandboxProcess, hook: Hook) -> None:
    """The full field set arrives, and Twilio's own validator accepts it."""
    answer = sandbox.send_sms("Grüße & co", from_=USER)
    assert answer["status"] == 200
    seen = posted(hook, "/sms/inbound")
    form = form_of(seen)
    assert (form["Body"], form["MessageSid"], form["AccountSid"]) == ("Grüße & co", answer["message_sid"], ACCOUNT)
    assert (form["From"], form["To"], form["ToCity"], form["NumSegments"]) == (USER, BOSS, "", "1")
    url = "https://boss.example.com/sms/inbound"
    assert RequestValidator(TOKEN).validate(url, form, seen[1]["X-Twilio-Signature"])
    [listed] = twilio(sandbox).messages.list(from_=USER)
    assert (listed.sid, listed.direction) == (answer["message_sid"], "inbound")


def test_inbound_can_be_doubled_missigned_and_unsigned(sandbox: SandboxProcess, hook: Hook) -> None:
    """The knobs of inbound messages, for all or for one."""
    sandbox.knobs(inbound={"copies": 3, "bad_signature": True})
    assert sandbox.send_sms("x", message_sid="SM" + "1" * 32)["statuses"] == [200, 200, 200]
    assert {form_of(each)["MessageSid"] for each in hook.seen} == {"SM" + "1" * 32}
    form, headers = form_of(hook.seen[0]), hook.seen[0][1]
    url = "https://boss.example.com/sms/inbound"
    assert not RequestValidator(TOKEN).validate(url, form, headers["X-Twilio-Signature"])
    sandbox.send_sms("y", copies=1, signed=False, fields={"MessageSid": None})
    assert "X-Twilio-Signature" not in hook.seen[-1][1]
    assert "MessageSid" not in form_of(hook.seen[-1])


def test_stop_opts_out_until_start(sandbox: SandboxProcess) -> None:
    """STOP makes later sends 21610, START ends that; Twilio's own confirmation is no reply of ours."""
    sandbox.send_sms("  stop ")
    with pytest.raises(TwilioRestException) as caught:
        twilio(sandbox).messages.create(to=USER, from_=BOSS, body="x")
    assert caught.value.code == 21610
    sandbox.send_sms("START")
    twilio(sandbox).messages.create(to=USER, from_=BOSS, body="x")
    assert sandbox.count("twilio.create") == 1
    assert sandbox.count("twilio.confirmation", accepted=None) == 2


def test_list_lag_hides_new_messages(sandbox: SandboxProcess) -> None:
    """An accepted message can be missing in the list for a while."""
    sandbox.knobs(twilio={"list_lag_seconds": 3600})
    twilio(sandbox).messages.create(to=USER, from_=BOSS, body="x")
    assert twilio(sandbox).messages.list(to=USER) == []
    sandbox.knobs(twilio={"list_lag_seconds": 0})
    assert len(twilio(sandbox).messages.list(to=USER)) == 1


# --- faults -------------------------------------------------------------------------------------------------------------


def test_faults_come_in_order_and_are_used_up(sandbox: SandboxProcess) -> None:
    """Words and objects, one request each."""
    sandbox.knobs(twilio={"fail": ["503", {"fault": "400", "code": 21612}]})
    client = twilio(sandbox)
    codes = []
    for _ in range(2):
        with pytest.raises(TwilioRestException) as caught:
            client.messages.create(to=USER, from_=BOSS, body="x")
        codes.append((caught.value.status, caught.value.code))
    client.messages.create(to=USER, from_=BOSS, body="x")
    assert codes == [(503, 20503), (400, 21612)]
    assert [entry["accepted"] for entry in sandbox.journal("twilio.create")] == [False, False, True]
    assert sandbox.knobs()["twilio"]["fail"] == []


@pytest.mark.parametrize(
    ("fault", "accepted"),
    [
        ("reset_before", False),
        ("reset_after_accept", True),
        ("reset_midway", True),
        ("trickle", True),
        ("hang", False),
        ({"fault": "hang", "accept": True}, True),
        ({"fault": "503", "accept": True}, True),
    ],
)
def test_unknown_outcomes_are_exact_in_the_journal(sandbox: SandboxProcess, fault: Any, accepted: bool) -> None:
    """The caller cannot tell, the journal and the list can."""
    sandbox.knobs(twilio={"fail": [fault]})
    with pytest.raises((requests.RequestException, TwilioRestException)):
        twilio(sandbox, timeout=0.3).messages.create(to=USER, from_=BOSS, body="x")
    [entry] = sandbox.wait("twilio.create", 1, timeout=5)
    assert entry["accepted"] is accepted
    assert len(twilio(sandbox).messages.list(to=USER)) == int(accepted)


def test_broken_json(sandbox: SandboxProcess) -> None:
    """Half a document."""
    sandbox.knobs(twilio={"fail": ["broken_json"]})
    with pytest.raises(json.JSONDecodeError):
        twilio(sandbox).messages.create(to=USER, from_=BOSS, body="x")
    assert sandbox.count("twilio.create") == 1


def test_latency_answers_late_but_acts_at_once(sandbox: SandboxProcess) -> None:
    """A caller who gives up has sent the message nevertheless."""
    sandbox.knobs(twilio={"latency_seconds": 30})
    with pytest.raises(requests.ReadTimeout):
        twilio(sandbox, timeout=0.2).messages.create(to=USER, from_=BOSS, body="x")
    [entry] = sandbox.wait("twilio.create", 1, timeout=5)
    assert (entry["accepted"], entry["status"]) == (True, None)


def test_held_answers_come_when_the_hold_is_over(sandbox: SandboxProcess) -> None:
    """Whatever was asked has acted by then."""
    sandbox.knobs(anthropic={"hold": True})
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(ask, claude(sandbox)) for _ in range(2)]
        sandbox.wait("anthropic.messages", 2, timeout=10)
        assert not any(each.done() for each in asked)
        sandbox.knobs(anthropic={"hold": False})
        assert all(each.result(10) for each in asked)


def test_a_matching_fault_leaves_others_alone(sandbox: SandboxProcess) -> None:
    """One conversation fails without end, the others go on."""
    sandbox.knobs(anthropic={"fail": [{"fault": "529", "match": "poison", "times": None}]})
    client = claude(sandbox)
    for _ in range(2):
        with pytest.raises(anthropic.OverloadedError):
            ask(client, "this is poison")
    assert ask(client, "this is not").stop_reason == "end_turn"


def test_a_rate_hits_a_share(sandbox: SandboxProcess) -> None:
    """A rate has no end unless `times` says so."""
    sandbox.knobs(sendgrid={"fail": [{"fault": "500", "rate": 0.5}], "events": False})
    for _ in range(60):
        with contextlib.suppress(SendGridError):
            sendgrid(sandbox).send(mail())
    assert 10 < sandbox.count("sendgrid.send") < 50


def test_misspelt_knobs_are_refused(sandbox: SandboxProcess) -> None:
    """A knob that does nothing would make a test pass for nothing."""
    changes: list[dict[str, Any]] = [{"twilio": {"latency": 1}}, {"twillio": {}}, {"twilio": {"fail": ["explode"]}}, {"twilio": 3}]
    for change in changes:
        response = requests.post(sandbox.url + "/sandbox/knobs", json=change, timeout=5)
        assert response.status_code == 400
        assert "error" in response.json()


# --- SendGrid -----------------------------------------------------------------------------------------------------------


def test_sendgrid_send_and_events(sandbox: SandboxProcess, hook: Hook) -> None:
    """202, empty, X-Message-Id; then processed and delivered with the custom arguments beside the fields."""
    document = mail(headers={"In-Reply-To": "<a@b>"})
    response = sendgrid(sandbox).send(document)
    assert (response.status_code, response.body) == (202, b"")
    identity = response.headers["X-Message-Id"]
    [entry] = sandbox.journal("sendgrid.send", accepted=True)
    seen = entry["request"]
    assert (entry["sid"], seen["to"], seen["subject"], seen["text"]) == (identity, "user@example.com", "Re: hello", "hi")
    assert seen["headers"] == {"In-Reply-To": "<a@b>"}
    sandbox.wait("webhook.events", 1, timeout=5, accepted=True)
    path, _, body = posted(hook, "/email/events")
    events = json.loads(body)
    assert path == "/email/events?token=mail+secret"
    assert [event["event"] for event in events] == ["processed", "delivered"]
    assert all(event["reply_id"] == "r1" and event["sg_message_id"].startswith(identity + ".") for event in events)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"personalizations": []}, "personalizations"),
        ({"personalizations": [{"to": [{"email": "nonsense"}]}]}, "personalizations.0.to"),
        ({"from": {}}, "from.email"),
        ({"subject": ""}, "subject"),
        ({"content": []}, "content"),
        ({"content": [{"type": "text/plain", "value": ""}]}, "content.0.value"),
        ({"headers": {"To": "x"}}, "headers"),
        ({"custom_args": {"a": "x"}}, "custom_args"),  # an object stands in a personalization, a string here
        (
            {"personalizations": [{"to": [{"email": "user@example.com"}], "custom_args": {"a": "x" * 10_000}}]},
            "personalizations.0.custom_args",
        ),
    ],
)
def test_sendgrid_refuses_as_sendgrid_does(sandbox: SandboxProcess, changes: dict[str, Any], field: str) -> None:
    """The field at fault is named."""
    with pytest.raises(SendGridError) as caught:
        sendgrid(sandbox).send(mail(**changes))
    assert caught.value.status_code == 400
    assert [error["field"] for error in caught.value.to_dict["errors"]] == [field]
    assert sandbox.count("sendgrid.send") == 0


def test_sendgrid_429_tells_when_to_come_back(sandbox: SandboxProcess) -> None:
    """X-RateLimit-Reset is a time, Retry-After a wait."""
    sandbox.knobs(sendgrid={"fail": [{"fault": "429", "retry_after": RETRY_AFTER}]})
    with pytest.raises(SendGridError) as caught:
        sendgrid(sandbox).send(mail())
    assert caught.value.headers["Retry-After"] == str(RETRY_AFTER)
    assert abs(int(caught.value.headers["X-RateLimit-Reset"]) - time.time() - RETRY_AFTER) < 3


def test_inbound_mail_parsed(sandbox: SandboxProcess, hook: Hook) -> None:
    """The default mode, in UTF-8, with the marks of an honest sender and a file."""
    answer = sandbox.send_email(
        "Grüße",
        from_="Ute Ä <user@example.com>",
        subject="Härte",
        in_reply_to="<p@x>",
        references=["<o@x>", "<p@x>"],
        headers={"Auto-Submitted": "auto-replied"},
        attachments=[{"filename": "a.txt", "content_base64": "aGk="}],
    )
    assert answer["status"] == 200
    seen = posted(hook, "/email/inbound")
    form = form_of(seen)
    assert seen[0] == "/email/inbound?token=mail+secret"
    assert (form["text"], form["subject"], form["SPF"], form["dkim"]) == ("Grüße", "Härte", "pass", "{@example.com : pass}")
    assert json.loads(form["envelope"]) == {"to": ["boss@example.com"], "from": "user@example.com"}
    assert f"Message-ID: {answer['message_id']}\n" in form["headers"]
    assert "References: <o@x> <p@x>\n" in form["headers"]
    assert "Auto-Submitted: auto-replied\n" in form["headers"]
    assert form["headers"].isascii()
    assert form["attachments"] == "1"
    assert json.loads(form["attachment-info"])["attachment1"]["filename"] == "a.txt"


def test_inbound_mail_keeps_its_charset(sandbox: SandboxProcess, hook: Hook) -> None:
    """The body's bytes are in the mail's charset, which only the `charsets` field names."""
    sandbox.send_email("Grüße", charset="iso-8859-1")
    seen = posted(hook, "/email/inbound")
    assert "Grüße".encode("iso-8859-1") in seen[2]
    assert json.loads(form_of(seen)["charsets"])["text"] == "iso-8859-1"


def test_inbound_mail_raw(sandbox: SandboxProcess, hook: Hook) -> None:
    """The raw mode is the MIME message in one field."""
    sandbox.send_email("Grüße", html="<p>Grüße</p>", subject="Härte", raw=True, envelope_from="", spf="fail")
    form = form_of(posted(hook, "/email/inbound"))
    assert "multipart/alternative" in form["email"]
    assert json.loads(form["envelope"])["from"] == ""
    assert {"text", "html", "headers", "attachments"}.isdisjoint(form)


def test_inbound_retries_until_taken(sandbox: SandboxProcess, hook: Hook) -> None:
    """With `retries`, a webhook that met 5xx comes again."""
    sandbox.knobs(inbound={"retries": 5, "retry_wait_seconds": 0.01})
    hook.statuses[:] = [503, 500]
    assert sandbox.send_email("x")["status"] == 200
    assert [entry["status"] for entry in sandbox.journal("webhook.email")] == [503, 500, 200]


# --- Anthropic ----------------------------------------------------------------------------------------------------------


def test_claude_answers_and_says_that_it_is_simulated(sandbox: SandboxProcess) -> None:
    """The echo, and the number of the user's turns."""
    message = claude(sandbox).messages.create(
        model="claude-haiku-5-5",
        max_tokens=1000,
        system=[{"type": "text", "text": "You are Boss.", "cache_control": {"type": "ephemeral"}}],
        messages=[
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": "1"},
            {"role": "user", "content": [{"type": "text", "text": "two"}]},
        ],
    )
    block = message.content[0]
    assert isinstance(block, anthropic.types.TextBlock)
    assert block.text == "[simulated] You wrote: two (user turns: 2)"
    assert (message.stop_reason, message.usage.output_tokens > 0) == ("end_turn", True)
    [entry] = sandbox.journal("anthropic.messages", accepted=True)
    assert (entry["request"]["text"], entry["request"]["user_turns"]) == ("two", 2)
    assert entry["request"]["system"] == "You are Boss."


def test_claude_streams(sandbox: SandboxProcess) -> None:
    """The SDK's stream helper puts the same message together."""
    sandbox.knobs(anthropic={"thinking": "hm", "length": 300})
    options: dict[str, Any] = {"model": "m", "max_tokens": 1000, "messages": [{"role": "user", "content": "go"}]}
    with claude(sandbox).messages.stream(**options) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert len(text) == 300
    assert [block.type for block in final.content] == ["thinking", "text"]
    assert final.stop_reason == "end_turn"
    names = [event.type for event in claude(sandbox).messages.create(stream=True, **options)]
    assert names[0] == "message_start"
    assert names[-2:] == ["message_delta", "message_stop"]


def test_claude_async_and_count_tokens(sandbox: SandboxProcess) -> None:
    """The async SDK, and the tokens of a request."""

    async def talk() -> tuple[str, int]:
        async with anthropic.AsyncAnthropic(api_key="sk-ant", base_url=sandbox.url, max_retries=0) as client:
            messages: Any = [{"role": "user", "content": "hello " * 100}]
            counted = await client.messages.count_tokens(model="m", messages=messages)
            async with client.messages.stream(model="m", max_tokens=500, messages=messages) as stream:
                return await stream.get_final_text(), counted.input_tokens

    text, tokens = asyncio.run(talk())
    assert text.startswith("[simulated] You wrote: hello hello")
    assert 100 < tokens < 200


def test_claude_knobs(sandbox: SandboxProcess) -> None:
    """Text, stop reason, refusal, emptiness, usage, length and shortening."""
    client = claude(sandbox)
    sandbox.knobs(anthropic={"text": "words", "stop_reason": "max_tokens", "usage": {"input_tokens": 9}})
    message = ask(client)
    assert (message.content[0].text, message.stop_reason, message.usage.input_tokens) == ("words", "max_tokens", 9)  # type: ignore[union-attr]
    sandbox.knobs(anthropic={"text": None, "stop_reason": "refusal"})
    refused = ask(client)
    assert refused.content == []
    assert refused.stop_details is not None
    sandbox.knobs(anthropic={"stop_reason": None, "content": []})
    assert ask(client).content == []
    sandbox.knobs(anthropic={"content": None, "length": 2000})
    texts = [ask(client, words).content[0].text for words in ("tell me", "shorter, please", "at most 1,500 characters")]  # type: ignore[union-attr]
    assert [len(text) for text in texts] == [2000, 160, 1500]


def test_claude_refuses_as_the_api_does(sandbox: SandboxProcess) -> None:
    """What the API would refuse is a 400 here too."""
    client = claude(sandbox)
    for messages in (
        [],
        [{"role": "user", "content": ""}],
        [{"role": "user", "content": "x"}, {"role": "assistant", "content": "prefill"}],
        [{"role": "assistant", "content": "x"}, {"role": "user", "content": "x"}],
    ):
        with pytest.raises(anthropic.BadRequestError):
            client.messages.create(model="m", max_tokens=10, messages=messages)  # type: ignore[arg-type]
    assert sandbox.count("anthropic.messages") == 0


@pytest.mark.parametrize(
    ("model", "fields", "refused"),
    [
        ("claude-sonnet-5-5", {"thinking": {"type": "disabled"}}, True),
        ("claude-sonnet-5-5", {"thinking": {"type": "between_tools"}, "output_config": {"effort": "high"}}, False),
        ("claude-sonnet-5-5", {"thinking": {"type": "between_tools"}, "output_config": {"effort": "max"}}, True),
        ("claude-sonnet-5-5", {"thinking": {"type": "enabled", "budget_tokens": 2000}}, True),
        ("claude-sonnet-5-5", {"tool_choice": {"type": "any"}, "tools": []}, True),
        ("claude-sonnet-5-5", {"output_config": {"effort": "extreme"}}, True),
        ("claude-sonnet-5-5", {"extra_body": {"temperature": 0.5}}, True),
        ("claude-opus-5-5", {"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}, True),
        ("claude-haiku-5-5", {"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}, False),
        ("claude-haiku-5-5", {"thinking": {"type": "disabled"}, "output_config": {"effort": "xhigh"}}, True),
        ("claude-haiku-4-5", {"thinking": {"type": "adaptive"}}, True),
        ("claude-haiku-4-5", {"thinking": {"type": "enabled", "budget_tokens": 2000}}, False),
        ("claude-haiku-4-5", {"thinking": {"type": "enabled", "budget_tokens": 4096}}, True),
        ("claude-haiku-4-5", {"thinking": {"type": "enabled", "budget_tokens": 100}}, True),
        ("claude-haiku-4-5", {"output_config": {"effort": "low"}}, True),
        ("claude-sonnet-4-6", {"output_config": {"effort": "xhigh"}}, True),
        ("m", {"thinking": {"type": "disabled"}, "extra_body": {"temperature": 0.5}}, False),
        ("m", {"thinking": {"type": "sometimes"}}, True),
    ],
)
def test_claude_takes_of_each_model_what_that_takes(sandbox: SandboxProcess, model: str, fields: dict[str, Any], refused: bool) -> None:
    """Forms of thinking, efforts, sampling and forced tools."""
    options: Any = {"model": model, "max_tokens": 4096, "messages": [{"role": "user", "content": "go"}], **fields}
    if not refused:
        assert claude(sandbox).messages.create(**options).stop_reason == "end_turn"
        return
    with pytest.raises(anthropic.BadRequestError):
        claude(sandbox).messages.create(**options)


def test_claude_s_thinking_counts_toward_what_it_may_say(sandbox: SandboxProcess) -> None:
    """As much of it as the effort says; an answer may be thinking alone, cut, or whole; what is turned off is not there."""
    sandbox.knobs(anthropic={"thinking_tokens": 1_000, "text": "word " * 400})
    messages: Any = [{"role": "user", "content": "go"}]

    def said(most: int, **fields: Any) -> tuple[list[str], str, int]:
        answer = claude(sandbox).messages.create(model="claude-sonnet-5-5", max_tokens=most, messages=messages, **fields)
        return [block.type for block in answer.content], str(answer.stop_reason), answer.usage.output_tokens

    assert said(1_000) == (["thinking"], "max_tokens", 1_000)
    assert said(1_100) == (["thinking", "text"], "max_tokens", 1_100)
    assert said(4_000) == (["thinking", "text"], "end_turn", 1_500)
    assert said(4_000, output_config={"effort": "low"}) == (["thinking", "text"], "end_turn", 600)
    assert said(1_000, thinking={"type": "between_tools"}) == (["text"], "end_turn", 500)
    sandbox.knobs(anthropic={"match": "somebody else"})
    assert said(1_000)[0] == ["text"]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"fault": "429", "retry_after": 7}, anthropic.RateLimitError),
        ("500", anthropic.InternalServerError),
        ("529", anthropic.OverloadedError),
        ("401", anthropic.AuthenticationError),
        ("reset_before", anthropic.APIConnectionError),
        ("reset_midway", anthropic.APIConnectionError),
    ],
)
def test_claude_faults(sandbox: SandboxProcess, fault: Any, expected: type[Exception]) -> None:
    """The SDK sees the error the API would give."""
    sandbox.knobs(anthropic={"fail": [fault]})
    with pytest.raises(expected) as caught:
        ask(claude(sandbox))
    if isinstance(caught.value, anthropic.RateLimitError):
        assert caught.value.response.headers["retry-after"] == "7"


def test_a_stream_can_fail_in_the_middle(sandbox: SandboxProcess) -> None:
    """An error event, or the end of the connection."""
    options: dict[str, Any] = {"model": "m", "max_tokens": 1000, "messages": [{"role": "user", "content": "go"}]}
    for fault in ("stream_error", "reset_midway"):
        sandbox.knobs(anthropic={"fail": [fault], "length": 500})
        with pytest.raises(Exception) as caught, claude(sandbox).messages.stream(**options) as stream:  # noqa: PT011
            stream.get_final_message()
        assert not isinstance(caught.value, AssertionError)


# --- the control API and the process ------------------------------------------------------------------------------------


def test_wait_answers_as_soon_as_the_entries_are_there(sandbox: SandboxProcess) -> None:
    """A long poll begun before, and one that runs out."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(sandbox.wait, "sendgrid.send", 2, 10, accepted=True)
        sendgrid(sandbox).send(mail())
        sendgrid(sandbox).send(mail())
        assert len(waiting.result(timeout=5)) == 2
    with pytest.raises(AssertionError, match=r"2 of 3 sendgrid\.send"):
        sandbox.wait("sendgrid.send", 3, timeout=0.1)


def test_journal_filters(sandbox: SandboxProcess) -> None:
    """By kind, sequence number, recipient, sender and content."""
    client = twilio(sandbox)
    for to in (USER, "+15550000001"):
        client.messages.create(to=to, from_=BOSS, body=f"for {to}")
    first, second = sandbox.journal("twilio.create")
    assert sandbox.journal("twilio.", since=first["seq"]) == [second]
    assert sandbox.journal("twilio.create,sendgrid.send", to=USER) == [first]
    assert sandbox.count("twilio.create", contains="for +15550000001") == 1
    assert sandbox.count("twilio.create", from_=USER) == 0
    sandbox.call("DELETE", "/sandbox/journal")
    assert sandbox.journal() == []
    assert sandbox.count("twilio.create") == 0


def test_other_sites_and_other_names_are_refused(sandbox: SandboxProcess) -> None:
    """DNS rebinding and cross-origin posts do not work; the page's own do."""
    url = sandbox.url + "/sandbox/sms"
    assert requests.get(sandbox.url, headers={"Host": "evil.example"}, timeout=5).status_code == 421
    for origin, status in (("https://evil.example", 403), ("null", 403), (sandbox.url, 200)):
        answer = requests.post(url, json={"body": "x"}, headers={"Origin": origin}, timeout=5)
        assert answer.status_code == status
    assert requests.post(url, data={"body": "x"}, timeout=5).status_code == 400


def test_a_provider_that_is_real_is_named_on_the_page() -> None:
    """What the page says and which of its parts are of use follows from this; whoever is not named is played."""
    with SandboxProcess(SANDBOX_REAL="Claude is real (key from .env)\nSendGrid is real (key from .env)") as own:
        told = requests.get(f"{own.url}/sandbox/config", timeout=5).json()
    assert told["real"] == ["Claude is real (key from .env)", "SendGrid is real (key from .env)"]


def test_the_page_is_served_under_a_strict_policy(sandbox: SandboxProcess) -> None:
    """Everything the page needs comes from here, and it says what it is."""
    page = requests.get(sandbox.url, timeout=5)
    assert requests.get(f"{sandbox.url}/sandbox/config", timeout=5).json()["real"] == []
    assert page.headers["Content-Security-Policy"].startswith("default-src 'self'")
    assert "<style" not in page.text
    assert "style=" not in page.text
    for path in ("/sandbox/static/style.css", "/sandbox/static/app.js", "/favicon.ico"):
        assert requests.get(sandbox.url + path, timeout=5).status_code == 200


def test_every_answer_has_the_security_headers(sandbox: SandboxProcess) -> None:
    """The page, the providers' answers and errors; none says which server it is."""
    asked = ("/", "/sandbox/static/app.js", "/sandbox/journal", "/v1/messages", "/nowhere")
    answers = [requests.get(sandbox.url + path, timeout=5) for path in asked]
    answers.append(requests.get(sandbox.url, headers={"Host": "evil.example"}, timeout=5))
    answers.append(requests.post(sandbox.url + "/sandbox/sms", json={}, headers={"Origin": "null"}, timeout=5))
    assert [answer.status_code for answer in answers] == [200, 200, 200, 405, 404, 421, 403]
    for answer in answers:
        assert (answer.headers["X-Frame-Options"], answer.headers["X-Content-Type-Options"]) == ("DENY", "nosniff")
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
        assert answer.headers["Cache-Control"] in ("no-store", "no-cache")
        assert "Server" not in answer.headers


def test_sigterm_ends_it_within_a_second_and_it_starts_again_on_its_port() -> None:
    """Also with requests that hang."""
    sandbox = SandboxProcess().start()
    port = sandbox.port
    sandbox.knobs(twilio={"fail": [{"fault": "hang", "times": None}]}, anthropic={"latency_seconds": 60})
    with ThreadPoolExecutor(2) as pool:
        pool.submit(_quietly, lambda: twilio(sandbox, timeout=10).messages.create(to=USER, from_=BOSS, body="x"))
        pool.submit(_quietly, lambda: ask(claude(sandbox)))
        sandbox.wait("twilio.create", 1, timeout=5)
        sandbox.wait("anthropic.messages", 1, timeout=5)
        start = time.monotonic()
        assert sandbox.stop() == 0
        assert time.monotonic() - start < 1
    with sandbox.start():
        assert sandbox.port == port
        assert sandbox.journal() == []


def _quietly(work: Callable[[], object]) -> None:
    with contextlib.suppress(Exception):
        work()


@pytest.mark.parametrize("env", [{"SANDBOX_HOST": "0.0.0.0"}, {"SANDBOX_WEBHOOK_URL": "https://example.com"}])  # noqa: S104
def test_it_refuses_to_face_the_network(env: dict[str, str]) -> None:
    """Loopback only, both ways."""
    with pytest.raises(AssertionError, match=next(iter(env))):
        SandboxProcess(**env).start()


def test_a_taken_port_is_named() -> None:
    """Without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(AssertionError, match="address already in use") as refused:
        SandboxProcess().start(port=taken.getsockname()[1])
    assert "Traceback" not in str(refused.value)
