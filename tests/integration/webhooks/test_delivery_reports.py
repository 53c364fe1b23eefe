"""What a provider's signed reports say of a user: an opt-out that only the provider knew, of the reply's own pair and nobody else's."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from shared.mailbox.records import ReplyState
from tests.payloads import form_body, sid
from tests.support.webhook_client import ELSEWHERE, SECRET, Web, opened, reply, send_a_reply


@pytest.fixture
def web(redis_url: str) -> Iterator[Web]:
    with opened(redis_url) as found:
        yield found


def report(web: Web, **fields: str) -> None:
    """Twilio's callback about the reply; its own numbers are somebody else's."""
    form = {"MessageSid": sid("out"), "AccountSid": "AC" + "0" * 32, "From": "+15550000001", "To": "+15550000002", **fields}
    assert web.sms("/sms/status?reply=r-1&attempt=a-1", body=form_body(form)).status_code == 204


def events(web: Web, *batch: dict[str, object]) -> None:
    """SendGrid's events about the reply; their address is somebody else's."""
    ours = {"reply": "r-1", "attempt": "a-1", "sg_message_id": "X.y", "email": "stranger@example.com", "timestamp": 1}
    data = json.dumps([{**ours, **event} for event in batch])
    assert web.client().post(f"/email/events?token={SECRET}", data=data, environ_overrides=ELSEWHERE).status_code == 204


def opt_outs(web: Web) -> list[bytes]:
    return list(web.redis.scan_iter("boss:optout:*"))


def test_a_text_that_failed_for_an_opt_out_marks_the_reply_s_pair(web: Web) -> None:
    """21610 in a status callback: the user's next text is not answered, until they text START; a repeated report changes nothing then."""
    send_a_reply(web)
    report(web, MessageStatus="failed", ErrorCode="21610")
    assert (reply(web).state, reply(web).code) == (ReplyState.FAILED, "21610")
    web.sms(MessageSid=sid(2), Body="hello")
    web.sms(MessageSid=sid(3), Body="START")
    report(web, MessageStatus="failed", ErrorCode="21610")
    web.sms(MessageSid=sid(4), Body="hello again")
    said = [line for line in web.lines() if line[0] in ("opted_out", "opted_in", "ignored")]
    assert said == [("opted_out", ""), ("ignored", "opted_out"), ("ignored", "opt_in"), ("opted_in", "")]
    assert opt_outs(web) == []


@pytest.mark.parametrize("code", ["30003", "30007", "21614"])
def test_a_text_that_failed_for_another_reason_opts_nobody_out(web: Web, code: str) -> None:
    """A phone that is off is no user's word."""
    send_a_reply(web)
    report(web, MessageStatus="undelivered", ErrorCode=code)
    assert (reply(web).state, opt_outs(web)) == (ReplyState.UNDELIVERED, [])


@pytest.mark.parametrize(
    ("event", "state"),
    [
        ({"event": "spamreport"}, ReplyState.SENT),
        ({"event": "unsubscribe"}, ReplyState.SENT),
        ({"event": "group_unsubscribe"}, ReplyState.SENT),
        ({"event": "dropped", "reason": "Unsubscribed Address", "status": "5.0.0"}, ReplyState.FAILED),
        ({"event": "dropped", "reason": "Spam Reporting Address"}, ReplyState.FAILED),
    ],
)
def test_a_user_s_word_to_sendgrid_marks_the_reply_s_pair(web: Web, event: dict[str, object], state: ReplyState) -> None:
    """Once for an event, however often it is repeated; a resubscription opts in again."""
    send_a_reply(web)
    events(web, {**event, "sg_event_id": "e1"})
    assert (len(opt_outs(web)), reply(web).state) == (1, state)
    events(web, {"event": "group_resubscribe", "sg_event_id": "e2"}, {**event, "sg_event_id": "e1"})
    assert opt_outs(web) == []
    assert [kind for kind, _ in web.lines() if kind.startswith("opted")] == ["opted_out", "opted_in"]


@pytest.mark.parametrize(
    ("event", "state"),
    [
        ({"event": "bounce", "status": "5.1.1", "type": "bounce"}, ReplyState.UNDELIVERED),
        ({"event": "bounce", "status": "4.2.2", "type": "blocked"}, ReplyState.UNDELIVERED),
        ({"event": "dropped", "reason": "Bounced Address"}, ReplyState.FAILED),
        ({"event": "dropped", "reason": "Invalid"}, ReplyState.FAILED),
    ],
)
def test_a_mail_that_did_not_arrive_opts_nobody_out(web: Web, event: dict[str, object], state: ReplyState) -> None:
    """Its reply says so, with a code that has a sentence."""
    send_a_reply(web)
    events(web, event)
    assert (reply(web).state, opt_outs(web)) == (state, [])
    assert reply(web).code
