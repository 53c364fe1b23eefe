"""One user's pause beside the pause of all: what it holds, whom it lets go on, and what it does to a message's age."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.mailbox import calls
from tests.integration.mailbox_books import HOUR, RETENTION, SHARE
from tests.integration.mailbox_desk import PAIR, C, Desk

OTHER, THEIRS = "c-2", "p-2"
MINUTE = 60_000


def age(desk: Desk, conv: str = C) -> int:
    """The age of the one message in a conversation's next turn, in ms."""
    turn = desk.claim(f"age-{conv}", conv=conv).turn
    assert turn is not None
    (message,) = turn.messages
    return message.age_ms


def test_a_user_s_pause_holds_their_turns_and_nobody_else_s(desk: Desk) -> None:
    """Their conversation is looked at again in a while, not at once; the others go on; after the end theirs does, too."""
    desk.accept("m-1")
    desk.accept("m-2", conv=OTHER, pair=THEIRS)
    assert desk.pause(PAIR)
    assert desk.accept("m-3").outcome == "accepted"
    assert desk.claim("k1").outcome == "paused"
    assert 15_000 <= (desk.due() or 0) <= 30_000
    assert desk.claim("k2", conv=OTHER).outcome == "taken"
    assert desk.resume(PAIR)
    assert desk.taken("k3") == ["m-1", "m-3"]


def test_a_user_s_pause_holds_what_they_wrote_over_the_bridge(desk: Desk) -> None:
    """It is the same person."""
    desk.accept("m-1", kind="bridge")
    desk.pause(PAIR)
    assert desk.claim("k1").outcome == "paused"


def test_a_user_s_pause_gives_up_the_lease_before_a_request_and_counts_nothing(desk: Desk) -> None:
    """A reply that was thought already waits as it is."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.store("k1")
    desk.pause(PAIR)
    assert desk.sending("k1", "a1").outcome == "paused"
    assert 30_000 <= desk.not_before() <= 60_000
    assert desk.due() == desk.not_before()
    assert (desk.counts("m-1"), desk.reply("k1").attempts) == ((0, 0), ())
    desk.resume(PAIR)
    desk.advance(60_000)
    assert desk.taken("k2") == ["m-1"]
    assert desk.sending("k2", "a2", turn="k1").outcome == "ok"


def test_a_repeated_leave_is_lost_in_a_user_s_pause(desk: Desk) -> None:
    """The repeat may come seconds later, and its request with it."""
    desk.to_sending()
    desk.pause(PAIR)
    assert desk.sending("k1", "a1").outcome == "lost"


def test_a_paused_user_s_message_does_not_age(desk: Desk) -> None:
    """Neither one that waited when the pause began, nor one that came in it; another user's does."""
    desk.accept("m-1")
    desk.accept("m-2", conv=OTHER, pair=THEIRS)
    desk.pause(PAIR)
    desk.advance(HOUR)
    desk.resume(PAIR)
    desk.advance(MINUTE)
    assert age(desk) == MINUTE
    assert age(desk, OTHER) == HOUR + MINUTE


def test_a_message_that_came_in_or_after_a_user_s_pause_has_its_own_age(desk: Desk) -> None:
    """Earlier pauses are not taken off it."""
    desk.pause(PAIR)
    desk.advance(HOUR)
    desk.accept("m-1")
    desk.advance(HOUR)
    desk.resume(PAIR)
    desk.advance(MINUTE)
    assert age(desk) == MINUTE


@pytest.mark.parametrize("order", ["UGug", "UGgu", "GUgu", "GUug", "UuGg", "GgUu"])
def test_the_time_that_both_pauses_cover_counts_once(desk: Desk, order: str) -> None:
    """A user's pause (U to u) and that of all (G to g), in any order an hour apart: what neither covers is the age."""
    turn: dict[str, Callable[[], bool]] = {
        "U": lambda: desk.pause(PAIR),
        "u": lambda: desk.resume(PAIR),
        "G": desk.pause,
        "g": desk.resume,
    }
    desk.accept("m-1")
    desk.advance(MINUTE)
    for step in order:
        assert turn[step]()
        desk.advance(HOUR)
    free = 2 if order in ("UuGg", "GgUu") else 1  # the hours after the last step, and between two pauses
    assert age(desk) == MINUTE + free * HOUR


def test_a_message_that_came_while_both_pauses_held_ages_from_their_end(desk: Desk) -> None:
    """Whichever ends first."""
    for step in (lambda: desk.pause(PAIR), desk.pause, lambda: desk.accept("m-1"), lambda: desk.resume(PAIR), desk.resume):
        assert step()
        desk.advance(HOUR)
    assert age(desk) == HOUR


def test_a_retried_message_ages_by_its_user_s_clock(desk: Desk) -> None:
    """From zero, also after pauses."""
    desk.to_parked()
    desk.pause(PAIR)
    desk.advance(HOUR)
    desk.resume(PAIR)
    desk.run(calls.retry("m-1", "o-1", retention_ms=RETENTION))
    desk.advance(MINUTE)
    assert age(desk) == MINUTE


def test_a_notice_ages_by_its_user_s_clock(desk: Desk) -> None:
    """It is a message like any other."""
    desk.pause(PAIR)
    desk.advance(HOUR)
    desk.resume(PAIR)
    desk.accept("m-1")
    desk.taken("k1")
    desk.park("k1", notice="outage")
    desk.advance(MINUTE)
    assert age(desk) == MINUTE


def test_a_user_s_pause_holds_all_their_pairs_and_ends_for_all(desk: Desk) -> None:
    """Phone and mail are one person; another user's pause is another's. A list of the pauses names each user once."""
    desk.accept("m-1")
    desk.accept("m-2", conv=OTHER, pair=THEIRS)
    assert desk.pause(PAIR, THEIRS)
    assert not desk.pause(PAIR, THEIRS)
    assert desk.pause("p-3")
    assert [desk.claim("k1").outcome, desk.claim("k2", conv=OTHER).outcome] == ["paused", "paused"]
    assert sorted((pause.user, pause.by, pause.reason) for pause in desk.box.pauses()) == [
        ("u-p-1", "ada", "test"),
        ("u-p-3", "ada", "test"),
    ]
    assert desk.resume(PAIR)
    assert not desk.resume(PAIR)
    assert [desk.claim("k3").outcome, desk.claim("k4", conv=OTHER).outcome] == ["taken", "taken"]
    assert [pause.user for pause in desk.box.pauses()] == ["u-p-3"]


def test_the_end_of_one_pause_does_not_end_the_other(desk: Desk) -> None:
    """Each was made for a reason of its own."""
    desk.accept("m-1")
    desk.pause()
    desk.pause(PAIR)
    desk.resume()
    assert desk.claim("k1").outcome == "paused"
    desk.pause()
    desk.resume(PAIR)
    assert desk.claim("k2").outcome == "paused"
    assert [pause.user for pause in desk.box.pauses()] == [""]
    desk.resume()
    assert desk.taken("k3") == ["m-1"]


def test_pauses_and_their_ends_name_the_operator_in_the_ledger(desk: Desk) -> None:
    """Once each, however often the call is repeated, and with the user whom they concern."""
    for _ in range(2):
        desk.pause()
        desk.pause(PAIR, THEIRS)
    for _ in range(2):
        desk.resume()
        desk.resume(PAIR)
    told = [[(line["by"], line["user"]) for line in desk.lines(kind)] for kind in ("paused", "resumed")]
    assert told == [[("ada", ""), ("ada", "u-p-1")]] * 2


def test_a_paused_conversation_leaves_its_sender_s_place_to_the_next(desk: Desk) -> None:
    """One phone may speak with two Bosses: the pause of one does not keep the other waiting for a lease's end."""
    third = "c-3"
    for conv, pair in ((C, "p-1"), (OTHER, THEIRS), (third, "p-1")):
        desk.accept(f"m-{conv}", conv=conv, pair=pair)
        desk.advance(1)
    for token, conv in (("k1", C), ("k2", OTHER), ("k3", third)):
        desk.claim(token, conv=conv, share=SHARE)
        desk.advance(1)
    desk.pause(THEIRS)
    desk.finish("k1")
    assert desk.claim("k4", conv=OTHER, share=SHARE).outcome == "paused"
    assert desk.due(third) == 0


@pytest.mark.parametrize("end", ["retry", "discard"])
def test_what_an_operator_does_with_a_parked_message_is_in_the_ledger_once(desk: Desk, end: str) -> None:
    """With the operator's name and the user's id; a repeat writes nothing."""
    desk.to_parked()
    call = (calls.retry if end == "retry" else calls.discard)("m-1", "o-1", by="ada", user="u-1", retention_ms=RETENTION)
    for _ in range(2):
        assert desk.run(call).outcome == "done"
    told = desk.lines("retried" if end == "retry" else "discarded")
    assert [(line["msg"], line.get("by"), line.get("user")) for line in told] == [("m-1", "ada", "u-1")]
