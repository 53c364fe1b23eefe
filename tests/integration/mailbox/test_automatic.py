"""What a phone sends by itself starts no turn; the form alone proves nothing of a reaction."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from shared.mailbox.records import Message
from tests.support.mailbox_driver import MailboxDriver

CASES: Final = json.loads((Path(__file__).parents[2] / "cases" / "sms" / "reactions.json").read_text(encoding="utf-8"))["cases"]
SAID: Final = "Dinner is at 7."
LONG: Final = "Dinner is at 7 at the new place by the river, and Tom brings the wine."


def talk(driver: MailboxDriver, *answers: str) -> None:
    """A conversation in which we have said this."""
    for number, answer in enumerate(answers):
        driver.accept(f"m-{number}", body=f"question {number}")
        driver.taken(f"k{number}")
        driver.store(f"k{number}", answer)
        driver.finish(f"k{number}")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_reaction_starts_no_turn_and_a_near_miss_does(driver: MailboxDriver, case: dict[str, Any]) -> None:
    """The cases that were found outside."""
    talk(driver, case["last"])
    taken = driver.accept("m-9", body=case["text"])
    assert (taken.outcome, taken.reason) == (("accepted", "") if case["texts_back"] else ("ignored", "reaction"))
    assert driver.inbox() == (["m-9"] if case["texts_back"] else [])


def test_a_reaction_is_one_only_to_what_was_said_here(driver: MailboxDriver) -> None:
    """By us or by the person, lately or earlier, whole or in its beginning where a phone cut it; not in another conversation."""
    talk(driver, SAID, LONG, "And \u201cthis\u201d \u2013 it\u2019s on you.")
    for number, quoted in enumerate(
        (SAID, LONG, "And \u201cthis\u201d \u2013 it\u2019s on you.", LONG[:40] + "\u2026", "QUESTION 1", "Dinner is at 7")
    ):
        assert driver.accept(f"r-{number}", body=f"Liked \u201c{quoted}\u201d").reason == "reaction", quoted
    for number, quoted in enumerate(("Dune", "Dinner", "Dinner is at 8.", "at the new", "s")):
        assert driver.accept(f"p-{number}", body=f"Loved \u201c{quoted}\u201d").outcome == "accepted", quoted
    assert driver.accept("o-1", body=f"Liked \u201c{SAID}\u201d", conv="c-2", pair="p-2").outcome == "accepted"


def test_a_reaction_to_what_is_under_way_is_one(driver: MailboxDriver) -> None:
    """An answer is on its way to the phone before its outcome is written down, and a text of theirs may wait for its turn."""
    driver.accept("m-1", body="When is dinner?")
    driver.taken("k1")
    assert driver.accept("p-1", body=f"Liked \u201c{SAID}\u201d").outcome == "accepted"
    driver.store("k1", SAID)
    assert driver.accept("r-1", body=f"Liked \u201c{SAID}\u201d").reason == "reaction"
    driver.accept("m-2", body="And who brings the wine?")
    assert driver.accept("r-2", body="Liked \u201cAnd who brings the wine?\u201d").reason == "reaction"


def test_a_reaction_stands_in_the_history_and_counts_for_nothing(driver: MailboxDriver) -> None:
    """Neither for a rate nor as an echo; the next question shows it."""
    talk(driver, SAID)
    for number in range(9):
        assert driver.accept(f"r-{number}", body=f"Liked \u201c{SAID}\u201d", limit=1, says="same").reason == "reaction"
    driver.accept("m-9", body="and tomorrow?", limit=2)
    turn = driver.claim("k9").turn
    assert turn is not None
    shown = {said.id: said for said in turn.history}
    kept = shown.get("r-8")
    assert isinstance(kept, Message)
    assert kept.reason == "reaction"
    assert driver.lines("notice") == []
    assert [line["reason"] for line in driver.lines("ignored")] == ["reaction"] * 9


def test_an_automatic_answer_is_kept_and_not_answered(driver: MailboxDriver) -> None:
    """In whichever conversation, and without proof: its sentence is nobody's own."""
    body = "I'm driving with Focus turned on. I'll see your message when I get where I'm going."
    assert driver.accept("m-1", body=body).reason == "auto_reply"
    kept = driver.box.message("m-1")
    assert kept is not None
    assert kept.event is not None
    assert driver.inbox() == []
    assert driver.accept("m-2", body=body, kind="bridge").outcome == "accepted"


def test_an_opt_out_is_judged_before_any_form(driver: MailboxDriver) -> None:
    """Who has opted out gets no turn by what the phone writes, and a keyword stays one."""
    talk(driver, SAID)
    assert driver.accept("m-8", body="Liked an image", keyword="stop").reason == "opt_out"
    assert driver.accept("m-9", body=f"Liked \u201c{SAID}\u201d").reason == "opted_out"
