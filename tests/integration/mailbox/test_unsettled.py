"""Texts of which no final report has come: listed when they are taken, asked about more and more rarely, and never for ever."""

from __future__ import annotations

from typing import Final

import pytest

from shared.mailbox import calls
from tests.support.mailbox_driver import MailboxDriver

MINUTE: Final = 60_000


def answered(driver: MailboxDriver, number: int) -> None:
    """A text that Twilio took."""
    driver.accept(f"m-{number}")
    driver.taken(f"k{number}")
    driver.store(f"k{number}")
    driver.sending(f"k{number}", f"a{number}")
    driver.outcome(f"k{number}", f"a{number}", "accepted", f"SM{number}", token=f"k{number}")


def test_a_text_without_a_final_report_is_asked_about_and_more_rarely_each_time(driver: MailboxDriver) -> None:
    """First after the wait, then when twice as much time has passed; whoever dies meanwhile costs only time."""
    answered(driver, 1)
    driver.status("SM1", "sent")
    seen = []
    for minute in range(1, 61):
        driver.advance(MINUTE)
        if found := driver.unsettled():
            assert [(each.reply, each.attempt, each.provider_id) for each in found] == [("r-k1", "a1", "SM1")]
            seen.append(minute)
    assert seen == [5, 10, 20, 40]


@pytest.mark.parametrize("state", ["delivered", "undelivered", "failed"])
def test_a_final_report_settles_a_text(driver: MailboxDriver, state: str) -> None:
    """Nobody asks any more."""
    answered(driver, 1)
    driver.status("SM1", state)
    assert driver.redis.exists("boss:unsettled") == 0


def test_a_text_whose_record_is_gone_or_that_is_too_old_is_not_asked_about(driver: MailboxDriver) -> None:
    """The list does not outlive what it names; one that never got its report says so."""
    answered(driver, 1)
    answered(driver, 2)
    driver.redis.delete("boss:reply:r-k1")
    driver.advance(calls.DAY_MS + 1)
    assert driver.unsettled() == ()
    assert driver.redis.exists("boss:unsettled") == 0
    assert [line["reply"] for line in driver.lines("unsettled")] == ["r-k2"]


def test_the_list_of_texts_without_a_report_is_bounded_and_asked_in_parts(driver: MailboxDriver) -> None:
    """The newest are kept, the oldest asked about first."""
    driver.redis.zadd("boss:unsettled", {f"r-{n}": n for n in range(50_000)})
    answered(driver, 1)
    assert driver.redis.zcard("boss:unsettled") == 50_000
    assert driver.redis.zscore("boss:unsettled", "r-k1") is not None
    driver.redis.delete("boss:unsettled")
    answered(driver, 2)
    answered(driver, 3)
    driver.advance(300_000)
    assert [each.reply for each in driver.unsettled(limit=1)] == ["r-k2"]
    assert [each.reply for each in driver.unsettled(limit=1)] == ["r-k3"]


def test_a_mail_has_no_record_at_its_provider_to_ask_about(driver: MailboxDriver) -> None:
    """SendGrid's events are all there is."""
    driver.to_sending()
    driver.redis.hset("boss:reply:r-k1", "channel", "email")
    driver.outcome("k1", "a1", "accepted", "X1", token="k1")
    assert driver.redis.exists("boss:unsettled") == 0
