"""Cutting the quoted mail: what is new stays, whatever the client, and never too much is cut."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_api.email.quoted_reply import MAX_SCANNED, without_quote

ON = "On Sun, Nov 22, 2026 at 10:02 AM Boss <boss@example.com> wrote:"


@pytest.mark.parametrize(
    ("text", "new"),
    [
        ("Yes.\n\n" + ON + "\n\n> How about it?\n>\n", "Yes."),
        ("Yes.\n\nOn Sun, Nov 22, 2026 at 10:02 AM Boss\n<boss@example.com> wrote:\n> How?\n", "Yes."),
        ("Ja.\n\nAm 22.11.2026 um 10:02 schrieb Boss:\n> Wie?", "Ja."),
        ("Ja.\n\nAm 22. Nov. 2026, 10:02, Boss <boss@example.com> schrieb:\n> Wie?", "Ja."),
        ("Oui.\n\nLe dim. 22 nov. 2026 à 10:02, Boss <boss@example.com> a écrit :\n> Quoi ?", "Oui."),
        ("Sí.\n\nEl dom, 22 nov 2026 a las 10:02, Boss (<boss@example.com>) escribió:\n\n> ¿Qué?", "Sí."),
        ("Ok.\n\n-----Original Message-----\nFrom: Boss\nSent: today\n\nold text", "Ok."),
        ("Ok.\n\n________________________________\nFrom: Boss <boss@example.com>\nSent: Sunday\nTo: U\nSubject: X\n\nold", "Ok."),
        ("Ok.\n\nVon: Boss\nGesendet: Sonntag\nAn: U\nBetreff: X\n\nalt", "Ok."),
        ("Only quotes with >\n> old\n> older", "Only quotes with >"),
        (ON + "\nold text without marks", ON + "\nold text without marks"),
        ("Fine.\n" + ON + "\nold text without marks", "Fine."),
        ("no quote at all\nFrom: here to there\n", "no quote at all\nFrom: here to there"),
    ],
)
def test_the_quoted_mail_at_the_end_is_cut(text: str, new: str) -> None:
    """The clients of the world, in their languages; a mail that is nothing but a quote stays whole."""
    assert without_quote(text).rstrip() == new


@pytest.mark.parametrize(
    "text",
    [
        f"Hi,\n{ON}\n> first question?\nMy answer.\n> second?\nAnother.",
        f"{ON}\n> question\nAnswer below.",
        "As she wrote:\nnothing of the sort is true.",
        "He wrote:\n\nroses are red",
        "> quoted\nanswer",
        "",
        "   \n ",
    ],
)
def test_answers_between_and_below_the_quote_are_kept(text: str) -> None:
    """Where the author wrote below a quote, or only mentions that somebody wrote, nothing is lost."""
    assert without_quote(text) == text


@pytest.mark.parametrize(
    "mark", ["---------- Forwarded message ---------", "-------- Weitergeleitete Nachricht --------", "Begin forwarded message:"]
)
@pytest.mark.parametrize("above", ["What do they want?\n\n", ""])
def test_what_somebody_passes_on_is_kept(mark: str, above: str) -> None:
    """It is what they write about; a quote within it is part of it."""
    text = f"{above}{mark}\nFrom: A <a@example.com>\nDate: Mon, 23 Nov 2026\nSubject: Offer\nTo: <b@example.com>\n\nBuy it.\n\n> no"
    assert without_quote(text) == text


BOMBS = {
    "empty lines": "\n" * 1_020_000,
    "on": "On " + "a " * 500_000,
    "attributions": "1 wrote:\n>\na\n" * 72_000,
    "attributions unquoted": "x\n" + "a\nwrote:\n" * 100_000,
    "from": "From: a\n" * 110_000,
    "from twice": "x\nFrom: a\nFrom: b\n" * 48_000,
    "quotes": "x\n" + ">\n" * 500_000,
    "rules": "x\n" + "_" * 1_000_000,
    "dashes": ("-" * 30 + "\n") * 32_000,
    "spaces": " " * 1_000_000,
    "attributions without an end": "On Mon, Nov 23, 2026 Boss <boss@example.com>\n" * 22_000,
    "wrote": "wrote:\n" * 140_000,
    "forwarded": "---------- Forwarded message ---------\n" * 26_000,
    "one line": "On " * 330_000 + "wrote:",
    "deep quotes": "x\n" + ">" * 1_000_000,
    "alternating": "> a\nb\n" * 140_000,
    "addresses": "<a@example.com> " * 60_000 + "wrote:",
}


@pytest.mark.parametrize("size", [MAX_SCANNED, 2_000_000], ids=["as long as is scanned", "a megabyte"])
@pytest.mark.parametrize("name", BOMBS)
def test_no_shape_of_text_takes_long(name: str, size: int) -> None:
    """The library takes 10 s for 10 kB of empty lines; a megabyte must take under half a second of CPU."""
    start = time.thread_time()
    without_quote(BOMBS[name][:size])
    assert time.thread_time() - start < 0.5


@given(st.text(alphabet="On 1@wrote:\n>-_From ab", max_size=300))
def test_what_is_left_is_a_beginning_of_the_mail_and_never_nothing(text: str) -> None:
    """Only the end is cut, and a text never becomes empty."""
    left = without_quote(text)
    assert text.startswith(left)
    assert bool(left.strip()) == bool(text.strip())
