"""One user's pause beside the pause of all: what it holds, whom it lets go on, and what it does to a message's age."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.mailbox import calls
from tests.support.mailbox_driver import PAIR, C, MailboxDriver
from tests.support.mailbox_state import HOUR, RETENTION, SHARE

OTHER, THEIRS = "c-2", "p-2"
MINUTE = 60_000


def age(driver: MailboxDriver, conv: str = C) -> int:
    """The age of the one message in a conversation's next turn, in ms."""
    turn = driver.claim(f"age-{conv}", conv=conv).turn
    assert turn is not None
    (message,) = turn.messages
    return message.age_ms


def test_a_user_s_pause_holds_their_turns_and_nobody_else_s(driver: MailboxDriver) -> None:
    """Their conversation is looked at again in a while, not at once; the others go on; after the end theirs does, too."""
    driver.accept("m-1")
    driver.accept("m-2", conv=OTHER, pair=THEIRS)
    assert driver.pause(PAIR)
    assert driver.accept("m-3").outcome == "accepted"
    assert driver.claim("k1").outcome == "paused"
    assert 15_000 <= (driver.due() or 0) <= 30_000
    assert driver.claim("k2", conv=OTHER).outcome == "taken"
    assert driver.resume(PAIR)
    assert driver.taken("k3") == ["m-1", "m-3"]


def test_a_user_s_pause_holds_what_they_wrote_over_the_bridge(driver: MailboxDriver) -> None:
    """It is the same person."""
    driver.accept("m-1", kind="bridge")
    driver.pause(PAIR)
    assert driver.claim("k1").outcome == "paused"


def test_a_user_s_pause_gives_up_the_lease_before_a_request_and_counts_nothing(driver: MailboxDriver) -> None:
    """A reply that was thought already waits as it is."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.store("k1")
    driver.pause(PAIR)
    assert driver.sending("k1", "a1").outcome == "paused"
    assert 30_000 <= driver.not_before() <= 60_000
    assert driver.due() == driver.not_before()
    assert (driver.counts("m-1"), driver.reply("k1").attempts) == ((0, 0), ())
    driver.resume(PAIR)
    driver.advance(60_000)
    assert driver.taken("k2") == ["m-1"]
    assert driver.sending("k2", "a2", turn="k1").outcome == "ok"


def test_a_repeated_permit_is_lost_in_a_user_s_pause(driver: MailboxDriver) -> None:
    """The repeat may come seconds later, and its request with it."""
    driver.to_sending()
    driver.pause(PAIR)
    assert driver.sending("k1", "a1").outcome == "lost"


def test_a_paused_user_s_message_does_not_age(driver: MailboxDriver) -> None:
    """Neither one that waited when the pause began, nor one that came in it; another user's does."""
    driver.accept("m-1")
    driver.accept("m-2", conv=OTHER, pair=THEIRS)
    driver.pause(PAIR)
    driver.advance(HOUR)
    driver.resume(PAIR)
    driver.advance(MINUTE)
    assert age(driver) == MINUTE
    assert age(driver, OTHER) == HOUR + MINUTE


def test_a_message_that_came_in_or_after_a_user_s_pause_has_its_own_age(driver: MailboxDriver) -> None:
    """Earlier pauses are not taken off it."""
    driver.pause(PAIR)
    driver.advance(HOUR)
    driver.accept("m-1")
    driver.advance(HOUR)
    driver.resume(PAIR)
    driver.advance(MINUTE)
    assert age(driver) == MINUTE


@pytest.mark.parametrize("order", ["UGug", "UGgu", "GUgu", "GUug", "UuGg", "GgUu"])
def test_the_time_that_both_pauses_cover_counts_once(driver: MailboxDriver, order: str) -> None:
    """A user's pause (U to u) and that of all (G to g), in any order an hour apart: what neither covers is the age."""
    turn: dict[str, Callable[[], bool]] = {
        "U": lambda: driver.pause(PAIR),
        "u": lambda: driver.resume(PAIR),
        "G": driver.pause,
        "g": driver.resume,
    }
    driver.accept("m-1")
    driver.advance(MINUTE)
    for step in order:
        assert turn[step]()
        driver.advance(HOUR)
    free = 2 if order in ("UuGg", "GgUu") else 1  # the hours after the last step, and between two pauses
    assert age(driver) == MINUTE + free * HOUR


def test_a_message_that_came_while_both_pauses_held_ages_from_their_end(driver: MailboxDriver) -> None:
    """Whichever ends first."""
    for step in (lambda: driver.pause(PAIR), driver.pause, lambda: driver.accept("m-1"), lambda: driver.resume(PAIR), driver.resume):
        assert step()
        driver.advance(HOUR)
    assert age(driver) == HOUR


def test_a_retried_message_ages_by_its_user_s_clock(driver: MailboxDriver) -> None:
    """From zero, also after pauses."""
    driver.to_parked()
    driver.pause(PAIR)
    driver.advance(HOUR)
    driver.resume(PAIR)
    driver.run(calls.retry("m-1", "o-1", retention_ms=RETENTION))
    driver.advance(MINUTE)
    assert age(driver) == MINUTE


def test_a_notice_ages_by_its_user_s_clock(driver: MailboxDriver) -> None:
    """It is a message like any other."""
    driver.pause(PAIR)
    driver.advance(HOUR)
    driver.resume(PAIR)
    driver.accept("m-1")
    driver.taken("k1")
    driver.park("k1", notice="outage")
    driver.advance(MINUTE)
    assert age(driver) == MINUTE


def test_a_user_s_pause_holds_all_their_pairs_and_ends_for_all(driver: MailboxDriver) -> None:
    """Phone and mail are one person; another user's pause is another's. A list of the pauses names each user once."""
    driver.accept("m-1")
    driver.accept("m-2", conv=OTHER, pair=THEIRS)
    assert driver.pause(PAIR, THEIRS)
    assert not driver.pause(PAIR, THEIRS)
    assert driver.pause("p-3")
    assert [driver.claim("k1").outcome, driver.claim("k2", conv=OTHER).outcome] == ["paused", "paused"]
    assert sorted((pause.user, pause.by, pause.reason) for pause in driver.box.pauses()) == [
        ("u-p-1", "ada", "test"),
        ("u-p-3", "ada", "test"),
    ]
    assert driver.resume(PAIR)
    assert not driver.resume(PAIR)
    assert [driver.claim("k3").outcome, driver.claim("k4", conv=OTHER).outcome] == ["taken", "taken"]
    assert [pause.user for pause in driver.box.pauses()] == ["u-p-3"]


def test_the_end_of_one_pause_does_not_end_the_other(driver: MailboxDriver) -> None:
    """Each was made for a reason of its own."""
    driver.accept("m-1")
    driver.pause()
    driver.pause(PAIR)
    driver.resume()
    assert driver.claim("k1").outcome == "paused"
    driver.pause()
    driver.resume(PAIR)
    assert driver.claim("k2").outcome == "paused"
    assert [pause.user for pause in driver.box.pauses()] == [""]
    driver.resume()
    assert driver.taken("k3") == ["m-1"]


def test_pauses_and_their_ends_name_the_operator_in_the_ledger(driver: MailboxDriver) -> None:
    """Once each, however often the call is repeated, and with the user whom they concern."""
    for _ in range(2):
        driver.pause()
        driver.pause(PAIR, THEIRS)
    for _ in range(2):
        driver.resume()
        driver.resume(PAIR)
    told = [[(line["by"], line["user"]) for line in driver.lines(kind)] for kind in ("paused", "resumed")]
    assert told == [[("ada", ""), ("ada", "u-p-1")]] * 2


def test_a_paused_conversation_leaves_its_sender_s_place_to_the_next(driver: MailboxDriver) -> None:
    """One phone may speak with two Bosses: the pause of one does not keep the other waiting for a lease's end."""
    third = "c-3"
    for conv, pair in ((C, "p-1"), (OTHER, THEIRS), (third, "p-1")):
        driver.accept(f"m-{conv}", conv=conv, pair=pair)
        driver.advance(1)
    for token, conv in (("k1", C), ("k2", OTHER), ("k3", third)):
        driver.claim(token, conv=conv, share=SHARE)
        driver.advance(1)
    driver.pause(THEIRS)
    driver.finish("k1")
    assert driver.claim("k4", conv=OTHER, share=SHARE).outcome == "paused"
    assert driver.due(third) == 0


@pytest.mark.parametrize("end", ["retry", "discard"])
def test_what_an_operator_does_with_a_parked_message_is_in_the_ledger_once(driver: MailboxDriver, end: str) -> None:
    """With the operator's name and the user's id; a repeat writes nothing."""
    driver.to_parked()
    call = (calls.retry if end == "retry" else calls.discard)("m-1", "o-1", by="ada", user="u-1", retention_ms=RETENTION)
    for _ in range(2):
        assert driver.run(call).outcome == "done"
    told = driver.lines("retried" if end == "retry" else "discarded")
    assert [(line["msg"], line.get("by"), line.get("user")) for line in told] == [("m-1", "ada", "u-1")]
