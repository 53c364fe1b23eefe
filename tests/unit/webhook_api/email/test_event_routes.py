"""SendGrid's events as reports on replies."""

from __future__ import annotations

import json

import pytest

from tests.payloads import payload
from webhook_api.email.event_routes import report
from webhook_api.intake.records import Report


def test_events_become_reports_on_replies() -> None:
    """Our custom arguments say which, the message id up to its dot is the provider's."""
    assert [report(event) for event in json.loads(payload("events.json"))] == [
        Report("X-MSG-ID", "sent", "r-1", "a-1", header="<x@example.com>"),
        Report("X-MSG-ID", "delivered", "r-1", "a-1"),
        None,
        Report("Y-MSG-ID", "undelivered", "r-2", "a-2", "5.7.1"),
        Report("Z-MSG-ID", "failed", "r-3", "a-3", "bounced_address"),
    ]


@pytest.mark.parametrize(
    ("event", "state", "opt"),
    [
        ({"event": "unsubscribe"}, "", "out"),
        ({"event": "group_unsubscribe"}, "", "out"),
        ({"event": "spamreport"}, "", "out"),
        ({"event": "group_resubscribe"}, "", "in"),
        ({"event": "dropped", "reason": "Unsubscribed Address", "status": "5.0.0"}, "failed", "out"),
        ({"event": "dropped", "reason": "Spam Reporting Address"}, "failed", "out"),
        ({"event": "dropped", "reason": "Bounced Address"}, "failed", ""),
        ({"event": "dropped", "reason": "Invalid"}, "failed", ""),
        ({"event": "bounce", "type": "bounce", "reason": "Unsubscribed Address says the server", "status": "5.1.1"}, "undelivered", ""),
        ({"event": "delivered", "reason": "Unsubscribed Address"}, "delivered", ""),
    ],
)
def test_what_a_user_said_to_sendgrid_is_their_word(event: dict[str, str], state: str, opt: str) -> None:
    """A hard bounce is nobody's word. The report's id is the same in every repetition, and another event's is another."""
    ours = {"reply": "r-1", "attempt": "a-1", "sg_message_id": "X.1", "sg_event_id": "e1", "timestamp": 5, "email": "user@example.com"}
    found, again, other = (report({**ours, **event, "sg_event_id": name}) for name in ("e1", "e1", "e2"))
    assert found
    assert other
    assert (found.state, found.opt, found.reply, found.attempt, found.provider_id) == (state, opt, "r-1", "a-1", "X")
    assert found == again
    assert (found.id != other.id) is bool(opt)
    assert "example" not in repr(found)


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({"event": "bounce", "status": "5.1.1", "reason": "550 5.1.1 <user@example.com> unknown"}, "5.1.1"),
        ({"event": "bounce", "status": "4.2.2", "type": "blocked"}, "4.2.2"),
        ({"event": "bounce", "type": "blocked", "reason": "user@example.com"}, "blocked"),
        ({"event": "bounce", "status": "5", "type": "bounce"}, "bounce"),
        ({"event": "bounce", "status": ["5.1.1"], "type": {"bounce": 1}}, ""),
        ({"event": "dropped", "status": "5.0.0", "reason": "Bounced Address"}, "bounced_address"),
        ({"event": "dropped", "status": "5.0.0", "reason": "user@example.com"}, "5.0.0"),
        ({"event": "delivered", "status": "2.0.0"}, ""),
    ],
)
def test_a_reason_is_a_status_or_a_word_that_is_known(event: dict[str, object], code: str) -> None:
    """What a mail server writes in prose may quote the address, and is not kept."""
    found = report({**event, "reply": "r-1", "attempt": "a-1"})
    assert found
    assert found.code == code


@pytest.mark.parametrize(
    "event",
    [
        None,
        5,
        "x",
        [],
        {},
        {"event": "delivered"},
        {"event": ["delivered"], "reply": "r"},
        {"event": "delivered", "reply": "r:1", "sg_message_id": 7.5j},
    ],
)
def test_what_is_no_event_of_ours_is_passed_over(event: object) -> None:
    """No exception, no report on something unknown."""
    found = report(event)
    assert found is None or found.reply == ""
