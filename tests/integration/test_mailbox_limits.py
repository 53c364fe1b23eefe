"""No loop and no bill: echoes, the bounds of one conversation, and what all of them may cost in a day."""

from __future__ import annotations

from shared.addresses import PhoneNumber
from shared.echo import digest_of
from shared.events import SendSmsResponse
from tests.integration.mailbox_books import LEASE
from tests.integration.mailbox_desk import Desk

HOUR = 3_600_000
OURS = digest_of(SendSmsResponse(to=PhoneNumber("+15551234567"), from_=PhoneNumber("+15559876543"), message="hello", user="user"))


def answer(desk: Desk, turn: str, text: str = "hello", tokens: int = 0) -> None:
    """Take the waiting turn and answer it."""
    desk.taken(turn)
    desk.store(turn, text, tokens=tokens)
    desk.finish(turn)
    desk.advance(10)


def test_who_repeats_our_own_words_is_answered_twice_and_then_no_more(desk: Desk) -> None:
    """However often the echo comes after that."""
    desk.accept("m-0", says="theirs")
    answer(desk, "k0")
    for number in (1, 2):
        assert desk.accept(f"m-{number}", says=OURS).outcome == "accepted"
        answer(desk, f"k{number}")
    for number in (3, 4, 5):
        assert desk.accept(f"m-{number}", says=OURS).reason == "echo"
    assert desk.inbox() == []


def test_a_robot_with_one_sentence_is_not_answered_for_ever(desk: Desk) -> None:
    """The first and two repetitions are answered, whatever we say."""
    answered = 0
    for number in range(10):
        if desk.accept(f"m-{number}", says="i am driving").outcome == "accepted":
            answer(desk, f"k{number}", f"answer {number}")
            answered += 1
    assert answered == 3


def test_other_words_in_between_end_the_row(desk: Desk) -> None:
    """A person may say yes as often as they are asked."""
    for number in range(12):
        assert desk.accept(f"m-{number}", says="yes" if number % 3 else "no").outcome == "accepted"
        answer(desk, f"k{number}", f"question {number}")


def test_who_asks_again_before_we_answered_is_no_robot(desk: Desk) -> None:
    """Ten times the same, and a network that repeats itself: one turn, and all of it is read."""
    for number in range(10):
        assert desk.accept(f"m-{number}", says="hello?").outcome == "accepted"
    assert len(desk.taken("k1")) == 10


def test_the_same_words_much_later_are_no_echo(desk: Desk) -> None:
    """Ten minutes after the text before."""
    for number in range(6):
        assert desk.accept(f"m-{number}", says="good morning").outcome == "accepted"
        answer(desk, f"k{number}")
        desk.advance(600_001)


def test_messages_without_words_are_no_echo(desk: Desk) -> None:
    """Pictures, and whatever comes over the bridge."""
    for number in range(3):
        desk.accept(f"w-{number}", says="look")
        answer(desk, f"k{number}", "")
    assert [desk.accept(f"m-{number}", says="").outcome for number in range(3)] == ["accepted"] * 3


def test_a_thread_that_never_ends_is_told_once_and_then_ignored(desk: Desk) -> None:
    """Its own bound holds, however much its sender may have; other threads go on."""
    for number in range(3):
        assert desk.accept(f"m-{number}", kind="mail", hourly=3).outcome == "accepted"
    assert desk.accept("m-3", kind="mail", hourly=3).reason == "rate_limited"
    assert desk.accept("m-4", kind="mail", hourly=3).reason == "rate_limited"
    assert desk.inbox() == ["m-0", "m-1", "m-2", "n-3"]
    assert desk.accept("m-5", kind="mail", hourly=3, conv="c-2").outcome == "accepted"
    desk.advance(HOUR)
    assert desk.accept("m-6", kind="mail", hourly=3).outcome == "accepted"


def test_a_conversation_has_a_bound_for_the_day_too(desk: Desk) -> None:
    """It outlasts the hour, and ends with the day."""
    for number in range(2):
        assert desk.accept(f"m-{number}", kind="mail", daily=2).outcome == "accepted"
    desk.advance(HOUR)
    assert desk.accept("m-2", kind="mail", daily=2).reason == "rate_limited"
    desk.advance(24 * HOUR)
    assert desk.accept("m-3", kind="mail", daily=2).outcome == "accepted"


def test_when_the_day_s_tokens_are_used_up_nothing_more_is_thought_about(desk: Desk) -> None:
    """Messages are still taken in and wait; the alarm is one line; the next day goes on by itself."""
    desk.accept("m-1")
    answer(desk, "k1", tokens=900)
    desk.accept("m-2")
    answer(desk, "k2", tokens=200)
    assert desk.accept("m-3").outcome == "accepted"
    assert [desk.claim(f"k{number}", day_tokens=1_000).outcome for number in (3, 4, 5)] == ["spend_stop", "spent", "spent"]
    assert desk.lines("spend_stop") == [{"v": "1", "tokens": "1100", "turns": "2"}]
    assert desk.inbox() == ["m-3"]
    assert 0 < (desk.due() or 0) <= LEASE, "somebody looks again"
    desk.advance(24 * HOUR)
    assert desk.claim("k6", day_tokens=1_000).outcome == "taken"


def test_turns_have_a_bound_for_the_day_as_well(desk: Desk) -> None:
    """Texts cost money too."""
    desk.accept("m-1")
    answer(desk, "k1")
    desk.accept("m-2")
    assert desk.claim("k2", day_turns=2).outcome == "taken"
    desk.store("k2")
    desk.finish("k2")
    desk.accept("m-3")
    assert desk.claim("k3", day_turns=2).outcome == "spend_stop"
    assert desk.claim("k4", day_turns=3).outcome == "taken", "a higher bound lets it go on"


def test_a_reply_that_is_paid_for_goes_out_although_the_day_is_used_up(desk: Desk) -> None:
    """It costs no tokens any more."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.store("k1", tokens=5_000)
    desk.backoff("k1", 0)
    desk.advance(1)
    found = desk.claim("k2", day_tokens=1_000)
    assert found.outcome == "taken"
    assert found.turn is not None
    assert found.turn.reply is not None


def test_a_repeated_call_costs_once(desk: Desk) -> None:
    """redis-py repeats a command whose answer was lost."""
    desk.accept("m-1")
    desk.taken("k1")
    for _ in range(3):
        desk.store("k1", tokens=600)
    desk.finish("k1")
    desk.accept("m-2")
    assert desk.claim("k2", day_tokens=1_000).outcome == "taken"
