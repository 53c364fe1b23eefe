"""Which lines of what was done a person is told, beside the model's own words."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.model.words import LANGUAGES, said
from supervisor_worker.assistant import receipts, reminder_texts

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
        ("On March 2nd at 9:00 I will remind you to call Mum.", "en", True),
        ("On the 2nd of March at 09:00 I will remind you to call Mum.", "en", True),
        ("On 2 March at 9:00 pm I will remind you to call Mum.", "en", False),
        ("On 2 March at 9:00 in the evening I will remind you to call Mum.", "en", False),
        ("Am 2. März um 9 Uhr erinnere ich dich: Call Mum.", "de", True),
        ("Am 2. März um 9 Uhr 30 erinnere ich dich: Call Mum.", "de", False),
        ("Am 2. März um 9 Uhr abends erinnere ich dich: Call Mum.", "de", False),
        ("El martes 2 de marzo a las 9:00 te aviso: Call Mum.", "es", True),
        ("El 2 de marzo a las 9:00 de la noche te aviso: Call Mum.", "es", False),
        ("Le mardi 2 mars à 9 h, je te rappelle : call Mum.", "fr", True),
        ("Le 2 mars à 9h00, je te rappelle : call Mum.", "fr", True),
        ("Le 2 mars à 9 h 30, je te rappelle : call Mum.", "fr", False),
        ("Le 2 mars à 9 h du soir, je te rappelle : call Mum.", "fr", False),
        ("Le 22 mars à 9 h, je te rappelle : call Mum.", "fr", False),
        ("Em 2 de março, às 9h, eu lembro você: Call Mum.", "pt", True),
        ("Em 2 de março, às 9h30, eu lembro você: Call Mum.", "pt", False),
        ("Em 2 de março, às 9h da noite, eu lembro você: Call Mum.", "pt", False),
        ("Martedì 2 marzo alle ore 9.00 ti ricordo: Call Mum.", "it", True),
        ("Martedì 2 marzo alle 09:00 ti ricordo: Call Mum.", "it", True),
        ("Martedì 2 marzo alle 9:00 di sera ti ricordo: Call Mum.", "it", False),
        ("Dinsdag 2 maart om 9.00 uur herinner ik je eraan: Call Mum.", "nl", True),
        ("Dinsdag 2 maart om 9 uur herinner ik je eraan: Call Mum.", "nl", True),
        ("Dinsdag 2 maart om 9 uur 's avonds herinner ik je eraan: Call Mum.", "nl", False),
        ("Dinsdag 2 maart om 9:00 herinner ik je eraan: Call Mum.", "de", False),
    ],
)
def test_a_line_is_left_out_where_one_sentence_holds_its_date_its_time_and_its_words(own: str, language: str, held: bool) -> None:
    """A day in words, another hour, another day, or the parts in two sentences are not the same."""
    assert receipts.says(own, "set_reminder", reminder(), language) is held


@pytest.mark.parametrize(
    ("own", "language"),
    [
        ("1 March", "en"), ("1. März", "de"), ("1 de marzo", "es"), ("1er mars", "fr"), ("1º de março", "pt"), ("1 de março", "pt"),
        ("1° marzo", "it"), ("1 marzo", "it"), ("1 maart", "nl"),
    ],
)  # fmt: skip
def test_the_first_of_a_month_is_a_date_in_each_language(own: str, language: str) -> None:
    """Also where it is written as the first."""
    assert receipts.says(f"{own}, 14:05: call Mum", "set_reminder", reminder(local="2027-03-01T14:05"), language)
    assert not receipts.says(f"{own}, 14:05: call Mum", "set_reminder", reminder(local="2027-03-11T14:05"), language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_code_would_write_itself_is_recognised(language: str) -> None:
    """On each day of a year, at any time."""
    at = datetime(2028, 1, 1, 0, 5)  # noqa: DTZ001 - by the wall's clock
    for hours in range(0, 366 * 24, 25):
        local = at + timedelta(hours=hours)
        line = said("reminder_set", language, when=reminder_texts.when(local, language), text="Call Mum")
        assert receipts.says(line, "set_reminder", reminder(local=f"{local:%Y-%m-%dT%H:%M}"), language), line
        other = local + timedelta(days=1)
        assert not receipts.says(line, "set_reminder", reminder(local=f"{other:%Y-%m-%dT%H:%M}"), language), line


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
