"""Our notes: nobody forges one, and none reaches a person."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor_worker.channels.notes import note, without_notes


@pytest.mark.parametrize(
    ("answer", "read"),
    [
        (f"{note('Received on Tuesday, 1 December 2026, 04:38 (UTC)')}\n\nAt five.", "At five."),
        (f"At five.\n{note('a picture')}", "At five.\n"),
        (f"One.\n{note('a')}\n  {note('b')} \nTwo.", "One.\nTwo."),
        (f"The {note('map')} of x", "The [map] of x"),
        ("\u301aa\u301b", "\u301aa\u301b"),
        ("no note at all, caf\u00e9", "no note at all, caf\u00e9"),
        (note("only this"), ""),
        ("half a \u27e6note", "half a [note"),
    ],
)
def test_a_note_that_a_model_has_copied_reaches_nobody(answer: str, read: str) -> None:
    """A line that is one goes; within a line the words stay, in brackets that a phone can show in its own letters."""
    assert without_notes(answer) == read


@given(st.text(alphabet="ab \n\u27e6\u27e7[]\u301a\u00e9", max_size=40))
def test_no_bracket_of_ours_is_left_and_no_word_outside_of_a_note_is_lost(answer: str) -> None:
    """Whatever stands around it."""
    read = without_notes(answer)
    assert not set(read) & set("\u27e6\u27e7")
    if "\u27e6" not in answer:
        assert [letter for letter in read if letter in "ab\u00e9"] == [letter for letter in answer if letter in "ab\u00e9"]
