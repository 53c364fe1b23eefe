"""Twilio's list of messages, its date filters and its opt-outs."""

from __future__ import annotations

import pytest

from sandbox.engine.twilio_message_log import MessageFilter, TwilioMessage, TwilioMessageLog, date_range


def message(sid: str, to: str = "+1", created: float = 100.5) -> TwilioMessage:
    """Build a message."""
    return TwilioMessage(sid=sid, account_sid="AC", to=to, sender="+2", body="", direction="outbound-api", status="queued", created=created)


def test_store_lists_newest_first_and_forgets_the_oldest() -> None:
    """By recipient and for all, within its capacity, whole seconds inclusive."""
    store = TwilioMessageLog(capacity=3)
    for number in range(5):
        store.add(message(f"SM{number}", to=f"+{number % 2}"))
    store.add(message("SM4"))
    assert [each.sid for each in store.newest_first(MessageFilter())] == ["SM4", "SM3", "SM2"]
    assert [each.sid for each in store.newest_first(MessageFilter(to="+0"))] == ["SM4", "SM2"]
    assert list(store.newest_first(MessageFilter(after=101))) == []
    assert len(list(store.newest_first(MessageFilter(after=100, before=100)))) == 3


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("1970-01-02", 86_400, 172_799),
        ("1970-01-01T00:00:10Z", 10, 10),
        ("1970-01-01T01:00:10+01:00", 10, 10),
        ("1970-01-01T01:00:10 01:00", 10, 10),
    ],
)
def test_date_filters(text: str, first: int, last: int) -> None:
    """Dates are days, datetimes seconds, and a form's unescaped plus is understood."""
    assert date_range(text) == (first, last)


def test_only_whole_messages_opt_out() -> None:
    """Twilio takes no notice of STOP in a sentence, nor of YES from somebody who never stopped."""
    store = TwilioMessageLog()
    assert store.apply_keyword("u", "b", "please stop") is None
    assert store.apply_keyword("u", "b", "yes") is None
    assert store.apply_keyword("u", "b", " Stop\n") is not None
    assert store.opted_out("u", "b")
    assert not store.opted_out("u", "other")
    assert store.apply_keyword("u", "b", "yes") is not None
    assert not store.opted_out("u", "b")
