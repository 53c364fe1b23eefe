"""Whose a message in the provider's list is: a reply that was not taken is never held for sent."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor_worker.channels.port import ListedMessage
from supervisor_worker.turns.attempt_matching import OtherReplies, choose
from tests.support.effort import rounds

REQUEST = 20_000
MINUTE = 60_000


def chosen(at: int, listed: list[tuple[str, int]], taken: dict[str, int] | None = None, unsure: tuple[int, ...] = ()) -> str:
    """What an attempt at `at` is bound to."""
    shown = [ListedMessage(*each) for each in sorted(listed, key=lambda each: each[1])]
    return choose(at, shown, OtherReplies(taken or {}, unsure), request_ms=REQUEST)


def test_a_message_of_the_attempts_time_is_its() -> None:
    """Give or take a request and a minute of clock: neither what is older, nor what came later."""
    at = 10 * MINUTE
    assert chosen(at, [("SM1", at)]) == "SM1"
    assert chosen(at, [("SM1", at - MINUTE)]) == "SM1"
    assert chosen(at, [("SM1", at - MINUTE - 1000)]) == ""
    assert chosen(at, [("SM1", at + REQUEST + MINUTE)]) == "SM1"
    assert chosen(at, [("SM1", at + REQUEST + MINUTE + 1)]) == ""
    assert chosen(at, []) == ""


def test_what_belongs_to_another_reply_is_not_bound_twice() -> None:
    """Also when nothing is known of that reply any more."""
    at = 10 * MINUTE
    assert chosen(at, [("SM1", at), ("SM2", at + 1000)], taken={"SM1": 0}) == "SM2"
    assert chosen(at, [("SM1", at)], taken={"SM1": at - 1}) == ""


def test_one_message_for_two_attempts_is_nobodys() -> None:
    """An earlier reply said the same, was not found and sent again, or parked: its first copy may have turned up late."""
    at = 10 * MINUTE
    assert chosen(at, [("SM1", at - 40_000)], unsure=(at - 40_000,)) == ""
    assert chosen(at, [("SM1", at - 40_000), ("SM2", at)], unsure=(at - 40_000,)) == "SM2"


def test_of_equal_texts_the_oldest_is_the_oldest_attempts() -> None:
    """As many messages as attempts: each has one."""
    at = 10 * MINUTE
    listed = [("SM1", at - 30_000), ("SM2", at), ("SM3", at + 30_000)]
    unsure = {"SM1": (at, at + 30_000), "SM2": (at - 30_000, at + 30_000), "SM3": (at - 30_000, at)}
    times = {"SM1": at - 30_000, "SM2": at, "SM3": at + 30_000}
    assert {name: chosen(times[name], listed, unsure=unsure[name]) for name in times} == {"SM1": "SM1", "SM2": "SM2", "SM3": "SM3"}


def test_an_unknown_attempt_that_was_sent_again_successfully_keeps_no_later_one_from_its_message() -> None:
    """The second copy is known, and what came before it was listed before it."""
    at = 10 * MINUTE
    listed = [("SM2", at - 5_000), ("SM3", at)]
    assert chosen(at, listed, taken={"SM2": at - 6_000}, unsure=(at - 45_000,)) == "SM3"
    assert chosen(at, [("SM1", at - 45_000), ("SM2", at - 5_000)], taken={"SM2": at - 6_000}, unsure=(at - 45_000,)) == ""


def test_an_attempt_of_long_ago_is_no_rival() -> None:
    """Its message cannot have this attempt's time."""
    at = 10 * MINUTE
    assert chosen(at, [("SM1", at)], unsure=(at - 2 * MINUTE - REQUEST - 1,)) == "SM1"
    assert chosen(at, [("SM1", at)], unsure=(at - 2 * MINUTE - REQUEST,)) == ""


@dataclass(frozen=True)
class Sent:
    """One attempt as it truly was. `wait` is since the one before it, in seconds."""

    reply: int
    wait: int
    taken: bool
    known: bool
    late: int


SENT = st.builds(Sent, st.integers(0, 2), st.integers(1, 40), st.booleans(), st.booleans(), st.integers(0, 100))


@settings(max_examples=rounds(100), deadline=None)
@given(st.lists(SENT, min_size=2, max_size=5), st.integers(-30, 30), st.integers(20, 200))
def test_no_history_makes_a_reply_that_was_not_taken_look_sent(history: list[Sent], skew: int, patience: int) -> None:
    """All say the same, the list is late at random, the provider's clock differs and knows whole seconds only."""
    now = 1_000 * MINUTE
    attempts: list[tuple[int, Sent, str]] = []
    for number, sent in enumerate(sorted(history, key=lambda each: each.reply)):
        before = attempts[-1] if attempts else None
        now += sent.wait * 1000 + (REQUEST if before and not before[1].known else 0)
        attempts.append((now, sent, f"SM{number}"))
    at, last, _ = attempts[-1]
    looked = at + patience * 1000
    shown = [
        ListedMessage(name, (when // 1000 + skew) * 1000)
        for when, sent, name in attempts
        if sent.taken and when + sent.late * 1000 <= looked
    ]
    others = [(when, sent, name) for when, sent, name in attempts if sent.reply != last.reply]
    taken = {name: when for when, sent, name in others if sent.taken and sent.known}
    unsure = [when for when, sent, _ in others if not (sent.taken and sent.known)]
    if choose(at, shown, OtherReplies(taken, unsure), request_ms=REQUEST):
        assert any(sent.taken for _, sent, _ in attempts if sent.reply == last.reply)
