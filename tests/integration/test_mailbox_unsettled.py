"""Texts of which no final report has come: listed when they are taken, asked about more and more rarely, and never for ever."""

from __future__ import annotations

from typing import Final

import pytest

from shared.mailbox import calls
from tests.integration.mailbox_desk import Desk

MINUTE: Final = 60_000


def answered(desk: Desk, number: int) -> None:
    """A text that Twilio took."""
    desk.accept(f"m-{number}")
    desk.taken(f"k{number}")
    desk.store(f"k{number}")
    desk.sending(f"k{number}", f"a{number}")
    desk.outcome(f"k{number}", f"a{number}", "accepted", f"SM{number}", token=f"k{number}")


def test_a_text_without_a_final_report_is_asked_about_and_more_rarely_each_time(desk: Desk) -> None:
    """First after the wait, then when twice as much time has passed; whoever dies meanwhile costs only time."""
    answered(desk, 1)
    desk.status("SM1", "sent")
    seen = []
    for minute in range(1, 61):
        desk.advance(MINUTE)
        if found := desk.unsettled():
            assert [(each.reply, each.attempt, each.provider_id) for each in found] == [("r-k1", "a1", "SM1")]
            seen.append(minute)
    assert seen == [5, 10, 20, 40]


@pytest.mark.parametrize("state", ["delivered", "undelivered", "failed"])
def test_a_final_report_settles_a_text(desk: Desk, state: str) -> None:
    """Nobody asks any more."""
    answered(desk, 1)
    desk.status("SM1", state)
    assert desk.redis.exists("boss:unsettled") == 0


def test_a_text_whose_record_is_gone_or_that_is_too_old_is_not_asked_about(desk: Desk) -> None:
    """The list does not outlive what it names; one that never got its report says so."""
    answered(desk, 1)
    answered(desk, 2)
    desk.redis.delete("boss:reply:r-k1")
    desk.advance(calls.DAY_MS + 1)
    assert desk.unsettled() == ()
    assert desk.redis.exists("boss:unsettled") == 0
    assert [line["reply"] for line in desk.lines("unsettled")] == ["r-k2"]


def test_the_list_of_texts_without_a_report_is_bounded_and_asked_in_parts(desk: Desk) -> None:
    """The newest are kept, the oldest asked about first."""
    desk.redis.zadd("boss:unsettled", {f"r-{n}": n for n in range(50_000)})
    answered(desk, 1)
    assert desk.redis.zcard("boss:unsettled") == 50_000
    assert desk.redis.zscore("boss:unsettled", "r-k1") is not None
    desk.redis.delete("boss:unsettled")
    answered(desk, 2)
    answered(desk, 3)
    desk.advance(300_000)
    assert [each.reply for each in desk.unsettled(limit=1)] == ["r-k2"]
    assert [each.reply for each in desk.unsettled(limit=1)] == ["r-k3"]


def test_a_mail_has_no_record_at_its_provider_to_ask_about(desk: Desk) -> None:
    """SendGrid's events are all there is."""
    desk.to_sending()
    desk.redis.hset("boss:reply:r-k1", "channel", "email")
    desk.outcome("k1", "a1", "accepted", "X1", token="k1")
    assert desk.redis.exists("boss:unsettled") == 0
