"""SendGrid as a client and the product meet it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from python_http_client.exceptions import HTTPError as SendGridError

from tests.integration.sandbox.clients import WebhookReceiver, form_of, mail, posted, sendgrid
from tests.support.sandbox import SandboxProcess

RETRY_AFTER = 7


def test_sendgrid_send_and_events(sandbox: SandboxProcess, receiver: WebhookReceiver) -> None:
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
    path, _, body = posted(receiver, "/email/events")
    events = json.loads(body)
    assert path == "/email/events?token=mail+secret"
    assert [event["event"] for event in events] == ["processed", "delivered"]
    assert all(event["reply_id"] == "r1" and event["sg_message_id"].startswith(identity + ".") for event in events)


def test_both_parts_of_a_mail_are_in_the_journal(sandbox: SandboxProcess) -> None:
    """Plain text and HTML as they came, and the sender's name beside the address."""
    content = [{"type": "text/plain", "value": "hi"}, {"type": "text/html", "value": "<p>hi</p>"}]
    assert sendgrid(sandbox).send(mail(content=content, **{"from": {"email": "boss@example.com", "name": "Boss"}})).status_code == 202
    [entry] = sandbox.journal("sendgrid.send", accepted=True)
    seen = entry["request"]
    assert (seen["text"], seen["html"], seen["from"], seen["from_name"]) == ("hi", "<p>hi</p>", "boss@example.com", "Boss")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"personalizations": []}, "personalizations"),
        ({"personalizations": [{"to": [{"email": "nonsense"}]}]}, "personalizations.0.to"),
        ({"from": {}}, "from.email"),
        ({"subject": ""}, "subject"),
        ({"content": []}, "content"),
        ({"content": [{"type": "text/plain", "value": ""}]}, "content.0.value"),
        ({"content": [{"value": "x"}]}, "content.0.type"),
        ({"content": [{"type": "text/html; charset=utf-8", "value": "x"}]}, "content.0.type"),
        ({"content": [{"type": "text/html", "value": "x"}, {"type": "text/plain", "value": "x"}]}, "content"),
        ({"content": [{"type": "text/calendar", "value": "x"}, {"type": "text/html", "value": "x"}]}, "content"),
        ({"content": [{"type": "text/plain", "value": "x"}, {"type": "text/html", "value": ""}]}, "content.1.value"),
        ({"from": {"email": "boss@example.com", "name": 1}}, "from.name"),
        ({"tracking_settings": {"open_tracking": {"enable": "no"}}}, "tracking_settings.open_tracking.enable"),
        ({"headers": {"To": "x"}}, "headers"),
        ({"headers": {"X-Any": "a\r\nBcc: b@example.com"}}, "headers"),
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
    sandbox.faults(sendgrid={"fail": [{"fault": "429", "retry_after": RETRY_AFTER}]})
    with pytest.raises(SendGridError) as caught:
        sendgrid(sandbox).send(mail())
    assert caught.value.headers["Retry-After"] == str(RETRY_AFTER)
    assert abs(int(caught.value.headers["X-RateLimit-Reset"]) - time.time() - RETRY_AFTER) < 3


def test_inbound_mail_parsed(sandbox: SandboxProcess, receiver: WebhookReceiver) -> None:
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
    seen = posted(receiver, "/email/inbound")
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


def test_inbound_mail_keeps_its_charset(sandbox: SandboxProcess, receiver: WebhookReceiver) -> None:
    """The body's bytes are in the mail's charset, which only the `charsets` field names."""
    sandbox.send_email("Grüße", charset="iso-8859-1")
    seen = posted(receiver, "/email/inbound")
    assert "Grüße".encode("iso-8859-1") in seen[2]
    assert json.loads(form_of(seen)["charsets"])["text"] == "iso-8859-1"


def test_inbound_mail_raw(sandbox: SandboxProcess, receiver: WebhookReceiver) -> None:
    """The raw mode is the MIME message in one field."""
    sandbox.send_email("Grüße", html="<p>Grüße</p>", subject="Härte", raw=True, envelope_from="", spf="fail")
    form = form_of(posted(receiver, "/email/inbound"))
    assert "multipart/alternative" in form["email"]
    assert json.loads(form["envelope"])["from"] == ""
    assert {"text", "html", "headers", "attachments"}.isdisjoint(form)


def test_inbound_retries_until_taken(sandbox: SandboxProcess, receiver: WebhookReceiver) -> None:
    """With `retries`, a webhook that met 5xx comes again."""
    sandbox.faults(inbound={"retries": 5, "retry_wait_seconds": 0.01})
    receiver.statuses[:] = [503, 500]
    assert sandbox.send_email("x")["status"] == 200
    assert [entry["status"] for entry in sandbox.journal("webhook.email")] == [503, 500, 200]
