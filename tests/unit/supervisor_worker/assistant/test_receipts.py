"""Which lines of what was done a person is told, beside the model's own words."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor_worker.assistant import receipts

TEA = {"local": "2027-03-02T09:00", "recurrence": "", "marked": False, "kind": "reminder", "text": "Call Mum"}


def reminder(**more: Any) -> dict[str, Any]:
    return {"ok": True, "reminder": {**TEA, **more}}


@pytest.mark.parametrize(
    ("own", "language", "held"),
    [
        ("Sure. On Tuesday, 2 March at 9:00 I will remind you to call Mum.", "en", True),
        ("I'll remind you on March 2 at 09:00: call mum!", "en", True),
        ("Am 2. März um 09:00 Uhr erinnere ich dich: Call Mum.", "de", True),
        ("I will remind you tomorrow at 9:00 to call Mum.", "en", False),
        ("On 2 March at 19:00 I will remind you to call Mum.", "en", False),
        ("On 22 March at 9:00 I will remind you to call Mum.", "en", False),
        ("On 2 March at 9:00 I will remind you.", "en", False),
        ("On 2 March I will remind you to call Mum. The shop opens at 9:00.", "en", False),
    ],
)
def test_a_line_is_left_out_where_one_sentence_holds_its_date_its_time_and_its_words(own: str, language: str, held: bool) -> None:
    """A day in words, another hour, another day, or the parts in two sentences are not the same."""
    assert receipts.says(own, "set_reminder", reminder(), language) is held


@pytest.mark.parametrize("more", [{"recurrence": "FREQ"}, {"marked": True}, {"kind": "briefing"}])
def test_what_repeats_and_what_others_wrote_is_always_told(more: dict[str, Any]) -> None:
    """And what was not done."""
    own = "On 2 March at 9:00 I will remind you to call Mum."
    assert not receipts.says(own, "set_reminder", reminder(**more), "en")
    assert not receipts.says(own, "set_reminder", {"ok": False, "reason": "too_many"}, "en")
    assert not receipts.says(own, "cancel_reminder", reminder(), "en")


def test_items_and_facts_are_held_by_all_of_their_words() -> None:
    """With the name of their list."""
    added = {"ok": True, "list": "shopping", "added": [{"text": "oat milk", "marked": False}, {"text": "Eggs", "marked": False}]}
    assert receipts.says("Oat milk and eggs are on your shopping list.", "add_to_list", added, "en")
    assert not receipts.says("Eggs are on your shopping list.", "add_to_list", added, "en")
    assert not receipts.says("Oat milk and eggs are on your list.", "add_to_list", added, "en")
    fact = {"ok": True, "fact": {"text": "Mia is allergic to nuts.", "marked": False}}
    assert receipts.says("I will remember: Mia is allergic to nuts.", "remember", fact, "en")
    assert not receipts.says("I will remember that about Mia.", "remember", fact, "en")


def test_words_that_only_repeat_the_lines_are_left_out() -> None:
    """Whatever their signs and letters; one word more is the model's own."""
    lines = ["Reminder, Tuesday, 2 March, 09:00: call Mum", "Added to shopping: eggs"]
    assert receipts.says_no_more("reminder, Tuesday 2 March 09:00 - call mum.", lines)
    assert not receipts.says_no_more("Reminder, Tuesday 2 March 09:00: call Mum. Anything else?", lines)
    assert not receipts.says_no_more("", lines)


def test_what_was_not_done_is_told_once_and_only_where_it_stayed_so() -> None:
    """A model that corrects itself has done it."""
    undone = receipts.not_done("set_reminder", "en")
    assert undone.startswith("Not done: ")
    found = [("set_reminder", undone, False), ("set_reminder", undone, False), ("note", "Noted: milk", True)]
    assert receipts.in_order(found) == [undone, "Noted: milk"]
    assert receipts.in_order([*found, ("set_reminder", "Reminder: tea", True)]) == ["Noted: milk", "Reminder: tea"]
    assert {receipts.not_done(tool, "de").partition(":")[0] for tool in ("remember", "check_off", "launch")} == {"Nicht erledigt"}
