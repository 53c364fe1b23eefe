"""Twilio as a client and the product meet it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import anthropic
import pytest
from python_http_client.exceptions import HTTPError as SendGridError
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator

from tests.integration.sandbox.clients import (
    ACCOUNT,
    BOSS,
    TOKEN,
    USER,
    WebhookReceiver,
    ask,
    claude,
    form_of,
    mail,
    posted,
    sendgrid,
    twilio,
)
from tests.support.sandbox import SandboxProcess


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


def test_status_callbacks_are_signed_over_the_exact_url(sandbox: SandboxProcess, receiver: WebhookReceiver) -> None:
    """Queued, sent and delivered arrive in order, signed with the query string, at this machine."""
    callback = "https://boss.example.com/sms/status?reply=r%201&x"
    message = twilio(sandbox).messages.create(to=USER, from_=BOSS, body="hi", status_callback=f"{callback}#rc=5&rp=all")
    sandbox.wait("webhook.status", 3, timeout=5, accepted=True)
    forms = [form_of(each) for each in receiver.seen]
    assert [form["MessageStatus"] for form in forms] == ["queued", "sent", "delivered"]
    assert {each[0] for each in receiver.seen} == {"/sms/status?reply=r%201&x"}
    signature = receiver.seen[-1][1]["X-Twilio-Signature"]
    assert RequestValidator(TOKEN).validate(callback, forms[-1], signature)
    assert "RawDlrDoneDate" in forms[-1]
    assert twilio(sandbox).messages(message.sid).fetch().status == "delivered"


def test_callbacks_shuffle_and_double(sandbox: SandboxProcess, receiver: WebhookReceiver) -> None:
    """The faults for order and copies."""
    sandbox.faults(twilio={"callback_order": "reversed", "callback_copies": 2, "final_status": "undelivered"})
    url = "https://boss.example.com/sms/status"
    twilio(sandbox).messages.create(to=USER, from_=BOSS, body="hi", status_callback=url)
    sandbox.wait("webhook.status", 6, timeout=5, accepted=True)
    forms = [form_of(each) for each in receiver.seen]
    assert [form["MessageStatus"] for form in forms] == ["undelivered"] * 2 + ["sent"] * 2 + ["queued"] * 2
    assert forms[0]["ErrorCode"] == "30008"


def test_nothing_leaves_this_machine(sandbox: SandboxProcess) -> None:
    """A callback to a foreign host is recorded once for each status, not posted, and not tried again."""
    twilio(sandbox).messages.create(to=USER, from_=BOSS, body="hi", status_callback="https://192.0.2.1/status#rc=3&rp=all")
    assert len(sandbox.wait("webhook.status", 3, timeout=5)) == 3
    assert [entry["request"]["message_status"] for entry in sandbox.journal("webhook.status")] == ["queued", "sent", "delivered"]
    entry = sandbox.wait("webhook.status", 1, timeout=5)[0]
    assert entry["status"] is None
    assert "not this machine" in entry["error"]


def test_inbound_sms_is_signed_over_the_public_url(sandbox: SandboxProcess, receiver: WebhookReceiver) -> None:
    """The full field set arrives, and Twilio's own validator accepts it."""
    answer = sandbox.send_sms("Grüße & co", from_=USER)
    assert answer["status"] == 200
    seen = posted(receiver, "/sms/inbound")
    form = form_of(seen)
    assert (form["Body"], form["MessageSid"], form["AccountSid"]) == ("Grüße & co", answer["message_sid"], ACCOUNT)
    assert (form["From"], form["To"], form["ToCity"], form["NumSegments"]) == (USER, BOSS, "", "1")
    url = "https://boss.example.com/sms/inbound"
    assert RequestValidator(TOKEN).validate(url, form, seen[1]["X-Twilio-Signature"])
    [listed] = twilio(sandbox).messages.list(from_=USER)
    assert (listed.sid, listed.direction) == (answer["message_sid"], "inbound")


def test_inbound_can_be_doubled_missigned_and_unsigned(sandbox: SandboxProcess, receiver: WebhookReceiver) -> None:
    """The faults of inbound messages, for all or for one."""
    sandbox.faults(inbound={"copies": 3, "bad_signature": True})
    assert sandbox.send_sms("x", message_sid="SM" + "1" * 32)["statuses"] == [200, 200, 200]
    assert {form_of(each)["MessageSid"] for each in receiver.seen} == {"SM" + "1" * 32}
    form, headers = form_of(receiver.seen[0]), receiver.seen[0][1]
    url = "https://boss.example.com/sms/inbound"
    assert not RequestValidator(TOKEN).validate(url, form, headers["X-Twilio-Signature"])
    sandbox.send_sms("y", copies=1, signed=False, fields={"MessageSid": None})
    assert "X-Twilio-Signature" not in receiver.seen[-1][1]
    assert "MessageSid" not in form_of(receiver.seen[-1])


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
    sandbox.faults(twilio={"list_lag_seconds": 3600})
    twilio(sandbox).messages.create(to=USER, from_=BOSS, body="x")
    assert twilio(sandbox).messages.list(to=USER) == []
    sandbox.faults(twilio={"list_lag_seconds": 0})
    assert len(twilio(sandbox).messages.list(to=USER)) == 1


def test_a_message_is_deleted_with_its_files_once_it_has_arrived(sandbox: SandboxProcess) -> None:
    """By Twilio's own SDK: not while it is on its way, and what is gone is found by nobody."""
    client = twilio(sandbox)
    sandbox.faults(twilio={"status_callbacks": False})
    text = sandbox.send_sms("", media=[{"content_type": "image/png"}, {"content_type": "image/png"}])["message_sid"]
    files = [file.sid for file in client.messages(text).media.list()]
    assert len(files) == 2
    assert client.messages(text).media(files[0]).delete()
    with pytest.raises(TwilioRestException) as missing:
        client.messages(text).media(files[0]).delete()
    assert [file.sid for file in client.messages(text).media.list()] == files[1:]
    assert client.messages(text).delete()
    assert client.messages(text).media.list() == []
    with pytest.raises(TwilioRestException) as gone:
        client.messages(text).fetch()
    assert (missing.value.status, gone.value.status) == (404, 404)
    assert client.messages.list(to=BOSS) == []
    with pytest.raises(TwilioRestException) as unknown:
        client.messages(text).delete()
    assert unknown.value.status == 404
    sandbox.faults(twilio={"callback_delay_seconds": 30})
    held = client.messages.create(to=USER, from_=BOSS, body="on its way")
    with pytest.raises(TwilioRestException) as early:
        client.messages(held.sid).delete()
    assert (early.value.status, early.value.code) == (409, 20009)
