"""A provider's refusal of our key, or a 403 that may be one message's own; the pause that follows, and the turn that ends it."""

from __future__ import annotations

from typing import Final

import pytest

from shared.mailbox import calls
from shared.mailbox.calls import Provider
from shared.mailbox.records import Turn
from tests.support.mailbox_driver import PAIR, WATCH, C, MailboxDriver
from tests.support.mailbox_state import LEASE, SEND_LIMITS
from tests.support.mailbox_workers import command

B, THEIRS, OTHER_SENDER = "c-2", "p-2", "s-2"
MINUTE: Final = 60_000


def two(driver: MailboxDriver) -> None:
    """A turn of one user, k1, and one of another's, k2."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.accept("m-2", conv=B, pair=THEIRS, sender=OTHER_SENDER)
    assert driver.claim("k2", conv=B).outcome == "taken"


def paused(driver: MailboxDriver) -> str:
    return driver.box.paused()


def to_probe(driver: MailboxDriver, provider: Provider = "twilio") -> None:
    """All is paused by an alarm that the other user's turn made; m-1 waits, and it is time to try again."""
    driver.accept("m-2", conv=B, pair=THEIRS, sender=OTHER_SENDER)
    driver.claim("k2", conv=B)
    assert driver.alarm(conv=B, provider=provider, sure=True) == "paused"
    driver.run(calls.backoff(B, "k2", MINUTE, "test", counted=False))
    driver.accept("m-1")
    driver.advance(WATCH.probe_ms)


def probing(driver: MailboxDriver) -> None:
    """m-1's turn, k1, is let through."""
    to_probe(driver)
    assert driver.taken("k1") == ["m-1"]


def test_what_is_sure_pauses_all_sending_once(driver: MailboxDriver) -> None:
    """By the alarm, with the provider's word; whoever comes later finds it so."""
    two(driver)
    assert [driver.alarm(sure=True), driver.alarm(conv=B, sure=True), driver.alarm(conv=B)] == ["paused", "held", "held"]
    (pause,) = driver.box.pauses()
    assert (pause.reason, pause.by, pause.user, pause.provider) == ("twilio_refused", "alarm", "", "twilio")
    assert len(driver.lines("paused")) == 1


def test_a_403_of_one_message_is_its_own_however_often_it_comes(driver: MailboxDriver) -> None:
    """Nothing else was refused: nobody else is kept waiting."""
    two(driver)
    for _ in range(10):
        assert driver.alarm() == "counted"
        driver.advance(WATCH.window_ms // 5)
    assert paused(driver) == ""


def test_a_403_of_another_user_s_message_pauses_when_nothing_was_taken_in_between(driver: MailboxDriver) -> None:
    """Two at the same moment are two bad messages yet, of which something may be taken between them a moment later."""
    two(driver)
    assert driver.alarm() == "counted"
    driver.advance(WATCH.apart_ms - 1)
    assert driver.alarm(conv=B) == "counted"
    driver.advance(1)
    assert driver.alarm(conv=B) == "paused"
    assert paused(driver) == "twilio_refused"


def test_a_403_of_another_message_of_the_same_user_pauses_when_nothing_was_taken_for_a_while(driver: MailboxDriver) -> None:
    """Where nobody else writes, their next message is all that can tell."""
    driver.accept("m-1")
    driver.taken("k1")
    assert driver.alarm() == "counted"
    driver.park("k1")
    driver.accept("m-2")
    driver.taken("k2")
    driver.advance(WATCH.quiet_ms - 1)
    assert driver.alarm() == "counted"
    driver.advance(1)
    assert driver.alarm() == "paused"


@pytest.mark.parametrize("provider", ["twilio", "claude"])
def test_what_was_taken_in_between_makes_a_403_the_message_s_own(driver: MailboxDriver, provider: Provider) -> None:
    """A text that Twilio took, an answer of Claude's; not one of another provider."""
    other: Provider = "claude" if provider == "twilio" else "twilio"
    if provider == "twilio":
        driver.to_sending()
    else:
        driver.accept("m-1")
        driver.taken("k1")
    driver.accept("m-2", conv=B, pair=THEIRS, sender=OTHER_SENDER)
    driver.claim("k2", conv=B)
    assert [driver.alarm(conv=B, provider=provider), driver.alarm(conv=B, provider=other)] == ["counted", "counted"]
    driver.advance(WATCH.apart_ms)
    if provider == "twilio":
        driver.outcome("k1", "a1", "accepted", "SM1")
    else:
        driver.store("k1")
    assert driver.alarm(provider=provider) == "counted"
    assert driver.alarm(provider=other) == "paused"


def test_a_sentence_of_ours_is_no_answer_of_claude_s(driver: MailboxDriver) -> None:
    """What it costs at Twilio says nothing of the model."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.accept("m-2", conv=B, pair=THEIRS, sender=OTHER_SENDER)
    driver.claim("k2", conv=B)
    assert driver.alarm(conv=B, provider="claude") == "counted"
    driver.advance(WATCH.apart_ms)
    driver.store("k1", figures={"segments": 1, "encoding": "GSM-7", "price_class": "US"})
    assert driver.alarm(provider="claude") == "paused"


def test_a_403_of_long_ago_is_forgotten(driver: MailboxDriver) -> None:
    """It stands for as long as the window."""
    two(driver)
    driver.alarm()
    assert 0 < int(driver.redis.pttl("boss:denied:twilio")) <= WATCH.window_ms
    driver.redis.delete("boss:denied:twilio")
    assert driver.alarm(conv=B) == "counted"


def test_a_pause_by_alarm_lets_one_turn_through_after_a_while_and_no_other(driver: MailboxDriver) -> None:
    """Whoever asks first, however many ask; the next after twice as long, up to a bound."""
    to_probe(driver)
    driver.advance(-1)
    assert driver.claim("k0").outcome == "paused"
    driver.advance(1)
    assert driver.taken("k1") == ["m-1"]
    assert [(line["conv"], line["provider"]) for line in driver.lines("probe")] == [(C, "twilio")]
    waits = []
    for number in range(6):
        driver.accept(f"m-c{number}", conv=f"c-p{number}", pair=f"p-p{number}", sender=f"s-p{number}")
        began = driver.now
        while driver.claim(f"p{number}-{driver.now}", conv=f"c-p{number}").outcome == "paused":
            driver.advance(MINUTE)
        waits.append((driver.now - began) // MINUTE)
    assert waits == [1, 2, 4, 8, 15, 15]


def test_who_was_refused_last_lets_others_go_first(driver: MailboxDriver) -> None:
    """One bad message must not be the only one that is ever tried; where nobody else comes, it is."""
    to_probe(driver)
    assert driver.claim("k3", conv=B).outcome == "paused"
    assert driver.taken("k1") == ["m-1"]
    driver.alarm()
    driver.backoff("k1", 1_000)
    driver.advance(WATCH.probe_ms)
    assert driver.claim("k4").outcome == "paused"
    driver.advance(LEASE // 2)
    assert driver.taken("k5") == ["m-1"]


def test_the_turn_that_is_let_through_may_send_and_what_it_sends_ends_the_pause(driver: MailboxDriver) -> None:
    """The ledger says by whom; the time of the pause counts for nobody's age."""
    probing(driver)
    driver.store("k1")
    assert driver.sending("k1", "a1").outcome == "ok"
    assert paused(driver) == "twilio_refused"
    driver.outcome("k1", "a1", "accepted", "SM1", token="k1")
    assert paused(driver) == ""
    assert [(line["by"], line["provider"]) for line in driver.lines("resumed")] == [("probe", "twilio")]
    found = driver.claim("k3", conv=B).turn
    assert found is not None
    assert found.messages[0].age_ms == 0


def test_an_answer_of_claude_s_ends_the_pause_for_claude(driver: MailboxDriver) -> None:
    """In the step that stores it, so that it goes out at once."""
    to_probe(driver, "claude")
    driver.taken("k1")
    assert driver.store("k1", attempt="a1").permit is not None
    assert paused(driver) == ""
    assert driver.lines("sending")


def test_a_turn_that_tries_the_provider_in_a_pause_asks_on(driver: MailboxDriver) -> None:
    """With tools it has several questions, and no reply that would end the pause before the last of them; another turn asks nothing."""
    driver.accept("m-3", conv="c-3", pair="p-3")
    driver.claim("k3", conv="c-3")
    to_probe(driver, "claude")
    driver.taken("k1")
    assert driver.reserve("k1", "q-2", 10) == "ok"
    other = calls.reserve("c-3", "k3", "q-3", 10, lease_ms=LEASE, bounds=calls.DayBounds())
    assert driver.run(other) == "paused"


def test_another_turn_may_not_send_while_one_is_let_through(driver: MailboxDriver) -> None:
    """One request, not all that wait."""
    driver.accept("m-3", conv="c-3", pair="p-3")
    driver.claim("k3", conv="c-3")
    probing(driver)
    stored = driver.run(calls.store_reply("c-3", "k3", Turn("t-k3", ()), command("hello"), limits=SEND_LIMITS, attempt="a3"))
    assert stored.permit is not None
    assert (stored.permit.outcome, driver.lines("sending")) == ("paused", [])


def test_what_was_under_way_before_the_pause_does_not_end_it(driver: MailboxDriver) -> None:
    """It may have left with the key that was taken away since."""
    driver.to_sending()
    driver.advance(1)
    driver.accept("m-2", conv=B, pair=THEIRS, sender=OTHER_SENDER)
    driver.alarm(conv=B, sure=True)
    driver.outcome("k1", "a1", "accepted", "SM1", token="k1")
    assert paused(driver) == "twilio_refused"


def test_another_provider_s_yes_does_not_end_the_pause(driver: MailboxDriver) -> None:
    """What Claude answers says nothing of Twilio."""
    probing(driver)
    driver.store("k1")
    assert paused(driver) == "twilio_refused"


@pytest.mark.parametrize("provider", ["sendgrid", "claude"])
def test_only_a_turn_that_asks_that_provider_is_let_through(driver: MailboxDriver, provider: Provider) -> None:
    """A text asks nothing of SendGrid; a stored answer nothing of Claude."""
    driver.accept("m-1")
    driver.taken("k1")
    if provider == "claude":
        driver.store("k1")
    driver.backoff("k1", 0)
    driver.accept("m-2", conv=B, pair=THEIRS, sender=OTHER_SENDER)
    driver.alarm(conv=B, provider=provider, sure=True)
    driver.advance(WATCH.probe_ms)
    assert driver.claim("k3").outcome == "paused"


def test_a_notice_asks_nothing_of_claude(driver: MailboxDriver) -> None:
    """Its sentence is ours."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.park("k1", notice="error")
    driver.accept("m-2", conv=B, pair=THEIRS, sender=OTHER_SENDER)
    driver.alarm(conv=B, provider="claude", sure=True)
    driver.advance(WATCH.probe_ms)
    assert driver.claim("k3").outcome == "paused"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_user_s_own_pause_holds_the_turn_that_is_let_through(driver: MailboxDriver, when: str) -> None:
    """The operator stopped that user for a reason of its own."""
    to_probe(driver)
    if when == "before":
        driver.pause(PAIR)
        assert driver.claim("k1").outcome == "paused"
        return
    driver.taken("k1")
    driver.store("k1")
    driver.pause(PAIR)
    assert driver.sending("k1", "a1").outcome == "paused"


def test_an_operator_s_pause_takes_the_place_of_an_alarm_s(driver: MailboxDriver) -> None:
    """No probe ends it, the one under way sends nothing, and only the operator's word resumes."""
    probing(driver)
    driver.store("k1")
    driver.sending("k1", "a1")
    assert driver.pause()
    assert not driver.pause()
    (pause,) = driver.box.pauses()
    assert (pause.reason, pause.by, pause.provider) == ("test", "ada", "")
    assert driver.sending("k1", "a1").outcome == "lost"
    driver.outcome("k1", "a1", "accepted", "SM1", token="k1")
    driver.advance(WATCH.longest_ms)
    assert driver.claim("k3", conv=B).outcome == "paused"
    assert driver.resume()
    assert driver.claim("k4", conv=B).outcome == "taken"


def test_an_operator_s_pause_is_not_tried(driver: MailboxDriver) -> None:
    """However long it lasts, and whatever is refused meanwhile."""
    driver.accept("m-1", kind="mail")
    driver.pause()
    driver.alarm(sure=True)
    driver.advance(WATCH.longest_ms)
    assert driver.claim("k1").outcome == "paused"


def test_a_resumed_pause_leaves_no_probe_behind(driver: MailboxDriver) -> None:
    """The next one begins anew."""
    probing(driver)
    assert driver.resume()
    driver.pause()
    driver.store("k1")
    assert driver.sending("k1", "a1").outcome == "paused"


def test_what_an_operator_must_know_is_told_once_in_a_while(driver: MailboxDriver) -> None:
    """However many users meet it."""
    assert [driver.run(calls.warn("twilio_63038")) for _ in range(3)] == [True, False, False]
    assert [line["reason"] for line in driver.lines("alarm")] == ["twilio_63038"]
    assert 0 < int(driver.redis.pttl("boss:warned:twilio_63038")) <= calls.HOUR_MS
