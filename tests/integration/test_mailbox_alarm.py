"""A provider's refusal of our key, or a 403 that may be one message's own; the pause that follows, and the turn that ends it."""

from __future__ import annotations

from typing import Final

import pytest

from shared.mailbox import calls
from shared.mailbox.calls import Provider
from shared.mailbox.records import Turn
from tests.integration.mailbox_books import LEASE, LEAVE
from tests.integration.mailbox_desk import PAIR, WATCH, C, Desk
from tests.integration.mailbox_workers import command

B, THEIRS, OTHER_SENDER = "c-2", "p-2", "s-2"
MINUTE: Final = 60_000


def two(desk: Desk) -> None:
    """A turn of one user, k1, and one of another's, k2."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.accept("m-2", conv=B, pair=THEIRS, sender=OTHER_SENDER)
    assert desk.claim("k2", conv=B).outcome == "taken"


def paused(desk: Desk) -> str:
    return desk.box.paused()


def to_probe(desk: Desk, provider: Provider = "twilio") -> None:
    """All is paused by an alarm that the other user's turn made; m-1 waits, and it is time to try again."""
    desk.accept("m-2", conv=B, pair=THEIRS, sender=OTHER_SENDER)
    desk.claim("k2", conv=B)
    assert desk.alarm(conv=B, provider=provider, sure=True) == "paused"
    desk.run(calls.backoff(B, "k2", MINUTE, "test", counted=False))
    desk.accept("m-1")
    desk.advance(WATCH.probe_ms)


def probing(desk: Desk) -> None:
    """m-1's turn, k1, is let through."""
    to_probe(desk)
    assert desk.taken("k1") == ["m-1"]


def test_what_is_sure_pauses_all_sending_once(desk: Desk) -> None:
    """By the alarm, with the provider's word; whoever comes later finds it so."""
    two(desk)
    assert [desk.alarm(sure=True), desk.alarm(conv=B, sure=True), desk.alarm(conv=B)] == ["paused", "held", "held"]
    (pause,) = desk.box.pauses()
    assert (pause.reason, pause.by, pause.user, pause.provider) == ("twilio_refused", "alarm", "", "twilio")
    assert len(desk.lines("paused")) == 1


def test_a_403_of_one_message_is_its_own_however_often_it_comes(desk: Desk) -> None:
    """Nothing else was refused: nobody else is kept waiting."""
    two(desk)
    for _ in range(10):
        assert desk.alarm() == "counted"
        desk.advance(WATCH.window_ms // 5)
    assert paused(desk) == ""


def test_a_403_of_another_user_s_message_pauses_when_nothing_was_taken_in_between(desk: Desk) -> None:
    """Two at the same moment are two bad messages yet, of which something may be taken between them a moment later."""
    two(desk)
    assert desk.alarm() == "counted"
    desk.advance(WATCH.apart_ms - 1)
    assert desk.alarm(conv=B) == "counted"
    desk.advance(1)
    assert desk.alarm(conv=B) == "paused"
    assert paused(desk) == "twilio_refused"


def test_a_403_of_another_message_of_the_same_user_pauses_when_nothing_was_taken_for_a_while(desk: Desk) -> None:
    """Where nobody else writes, their next message is all that can tell."""
    desk.accept("m-1")
    desk.taken("k1")
    assert desk.alarm() == "counted"
    desk.park("k1")
    desk.accept("m-2")
    desk.taken("k2")
    desk.advance(WATCH.quiet_ms - 1)
    assert desk.alarm() == "counted"
    desk.advance(1)
    assert desk.alarm() == "paused"


@pytest.mark.parametrize("provider", ["twilio", "claude"])
def test_what_was_taken_in_between_makes_a_403_the_message_s_own(desk: Desk, provider: Provider) -> None:
    """A text that Twilio took, an answer of Claude's; not one of another provider."""
    other: Provider = "claude" if provider == "twilio" else "twilio"
    if provider == "twilio":
        desk.to_sending()
    else:
        desk.accept("m-1")
        desk.taken("k1")
    desk.accept("m-2", conv=B, pair=THEIRS, sender=OTHER_SENDER)
    desk.claim("k2", conv=B)
    assert [desk.alarm(conv=B, provider=provider), desk.alarm(conv=B, provider=other)] == ["counted", "counted"]
    desk.advance(WATCH.apart_ms)
    if provider == "twilio":
        desk.outcome("k1", "a1", "accepted", "SM1")
    else:
        desk.store("k1")
    assert desk.alarm(provider=provider) == "counted"
    assert desk.alarm(provider=other) == "paused"


def test_a_403_of_long_ago_is_forgotten(desk: Desk) -> None:
    """It stands for as long as the window."""
    two(desk)
    desk.alarm()
    assert 0 < int(desk.redis.pttl("boss:denied:twilio")) <= WATCH.window_ms
    desk.redis.delete("boss:denied:twilio")
    assert desk.alarm(conv=B) == "counted"


def test_a_pause_by_alarm_lets_one_turn_through_after_a_while_and_no_other(desk: Desk) -> None:
    """Whoever asks first, however many ask; the next after twice as long, up to a bound."""
    to_probe(desk)
    desk.advance(-1)
    assert desk.claim("k0").outcome == "paused"
    desk.advance(1)
    assert desk.taken("k1") == ["m-1"]
    assert [(line["conv"], line["provider"]) for line in desk.lines("probe")] == [(C, "twilio")]
    waits = []
    for number in range(6):
        desk.accept(f"m-c{number}", conv=f"c-p{number}", pair=f"p-p{number}", sender=f"s-p{number}")
        began = desk.now
        while desk.claim(f"p{number}-{desk.now}", conv=f"c-p{number}").outcome == "paused":
            desk.advance(MINUTE)
        waits.append((desk.now - began) // MINUTE)
    assert waits == [1, 2, 4, 8, 15, 15]


def test_who_was_refused_last_lets_others_go_first(desk: Desk) -> None:
    """One bad message must not be the only one that is ever tried; where nobody else comes, it is."""
    to_probe(desk)
    assert desk.claim("k3", conv=B).outcome == "paused"
    assert desk.taken("k1") == ["m-1"]
    desk.alarm()
    desk.backoff("k1", 1_000)
    desk.advance(WATCH.probe_ms)
    assert desk.claim("k4").outcome == "paused"
    desk.advance(LEASE // 2)
    assert desk.taken("k5") == ["m-1"]


def test_the_turn_that_is_let_through_may_send_and_what_it_sends_ends_the_pause(desk: Desk) -> None:
    """The ledger says by whom; the time of the pause counts for nobody's age."""
    probing(desk)
    desk.store("k1")
    assert desk.sending("k1", "a1").outcome == "ok"
    assert paused(desk) == "twilio_refused"
    desk.outcome("k1", "a1", "accepted", "SM1", token="k1")
    assert paused(desk) == ""
    assert [(line["by"], line["provider"]) for line in desk.lines("resumed")] == [("probe", "twilio")]
    found = desk.claim("k3", conv=B).turn
    assert found is not None
    assert found.messages[0].age_ms == 0


def test_an_answer_of_claude_s_ends_the_pause_for_claude(desk: Desk) -> None:
    """In the step that stores it, so that it goes out at once."""
    to_probe(desk, "claude")
    desk.taken("k1")
    assert desk.store("k1", attempt="a1").leave is not None
    assert paused(desk) == ""
    assert desk.lines("sending")


def test_another_turn_may_not_send_while_one_is_let_through(desk: Desk) -> None:
    """One request, not all that wait."""
    desk.accept("m-3", conv="c-3", pair="p-3")
    desk.claim("k3", conv="c-3")
    probing(desk)
    stored = desk.run(calls.store_reply("c-3", "k3", Turn("t-k3", ()), command("hello"), limits=LEAVE, attempt="a3"))
    assert stored.leave is not None
    assert (stored.leave.outcome, desk.lines("sending")) == ("paused", [])


def test_what_was_under_way_before_the_pause_does_not_end_it(desk: Desk) -> None:
    """It may have left with the key that was taken away since."""
    desk.to_sending()
    desk.advance(1)
    desk.accept("m-2", conv=B, pair=THEIRS, sender=OTHER_SENDER)
    desk.alarm(conv=B, sure=True)
    desk.outcome("k1", "a1", "accepted", "SM1", token="k1")
    assert paused(desk) == "twilio_refused"


def test_another_provider_s_yes_does_not_end_the_pause(desk: Desk) -> None:
    """What Claude answers says nothing of Twilio."""
    probing(desk)
    desk.store("k1")
    assert paused(desk) == "twilio_refused"


@pytest.mark.parametrize("provider", ["sendgrid", "claude"])
def test_only_a_turn_that_asks_that_provider_is_let_through(desk: Desk, provider: Provider) -> None:
    """A text asks nothing of SendGrid; a stored answer nothing of Claude."""
    desk.accept("m-1")
    desk.taken("k1")
    if provider == "claude":
        desk.store("k1")
    desk.backoff("k1", 0)
    desk.accept("m-2", conv=B, pair=THEIRS, sender=OTHER_SENDER)
    desk.alarm(conv=B, provider=provider, sure=True)
    desk.advance(WATCH.probe_ms)
    assert desk.claim("k3").outcome == "paused"


def test_a_notice_asks_nothing_of_claude(desk: Desk) -> None:
    """Its sentence is ours."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.park("k1", notice="error")
    desk.accept("m-2", conv=B, pair=THEIRS, sender=OTHER_SENDER)
    desk.alarm(conv=B, provider="claude", sure=True)
    desk.advance(WATCH.probe_ms)
    assert desk.claim("k3").outcome == "paused"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_user_s_own_pause_holds_the_turn_that_is_let_through(desk: Desk, when: str) -> None:
    """The operator stopped that user for a reason of its own."""
    to_probe(desk)
    if when == "before":
        desk.pause(PAIR)
        assert desk.claim("k1").outcome == "paused"
        return
    desk.taken("k1")
    desk.store("k1")
    desk.pause(PAIR)
    assert desk.sending("k1", "a1").outcome == "paused"


def test_an_operator_s_pause_takes_the_place_of_an_alarm_s(desk: Desk) -> None:
    """No probe ends it, the one under way sends nothing, and only the operator's word resumes."""
    probing(desk)
    desk.store("k1")
    desk.sending("k1", "a1")
    assert desk.pause()
    assert not desk.pause()
    (pause,) = desk.box.pauses()
    assert (pause.reason, pause.by, pause.provider) == ("test", "ada", "")
    assert desk.sending("k1", "a1").outcome == "lost"
    desk.outcome("k1", "a1", "accepted", "SM1", token="k1")
    desk.advance(WATCH.longest_ms)
    assert desk.claim("k3", conv=B).outcome == "paused"
    assert desk.resume()
    assert desk.claim("k4", conv=B).outcome == "taken"


def test_an_operator_s_pause_is_not_tried(desk: Desk) -> None:
    """However long it lasts, and whatever is refused meanwhile."""
    desk.accept("m-1", kind="mail")
    desk.pause()
    desk.alarm(sure=True)
    desk.advance(WATCH.longest_ms)
    assert desk.claim("k1").outcome == "paused"


def test_a_resumed_pause_leaves_no_probe_behind(desk: Desk) -> None:
    """The next one begins anew."""
    probing(desk)
    assert desk.resume()
    desk.pause()
    desk.store("k1")
    assert desk.sending("k1", "a1").outcome == "paused"


def test_what_an_operator_must_know_is_told_once_in_a_while(desk: Desk) -> None:
    """However many users meet it."""
    assert [desk.run(calls.warn("twilio_63038")) for _ in range(3)] == [True, False, False]
    assert [line["reason"] for line in desk.lines("alarm")] == ["twilio_63038"]
    assert 0 < int(desk.redis.pttl("boss:warned:twilio_63038")) <= calls.HOUR_MS
