"""What the command prints: safe for a terminal, and short where it can be."""

from __future__ import annotations

import re

import pytest

from boss.terminal.ledger_line import describe
from boss.terminal.output import age, printable, short
from shared.mailbox.ledger import Line


@pytest.mark.parametrize(
    ("hostile", "seen"), [("\x1b[2Ja", "�[2Ja"), ("a\rb", "a�b"), ("\x9b1m", "�1m"), ("\u202egpj", "�gpj"), ("\ud800", "�"), ("é😀", "é😀")]
)
def test_nothing_steers_the_terminal(hostile: str, seen: str) -> None:
    """Escape sequences, carriage returns, direction marks and lone surrogates are replaced; text stays."""
    assert printable(hostile) == seen
    assert printable(hostile, lines=True) == seen


def test_lines_of_a_text_stay_lines() -> None:
    """A reply has paragraphs; a one-line field has none."""
    assert printable("a\n\tb", lines=True) == "a\n\tb"
    assert printable("a\n\tb") == "a��b"


def test_only_ids_are_cut() -> None:
    """Words and figures stay whole."""
    assert short("c-0123456789abcdef01234567") == "c-01234567"
    words = ["a-b", "claude-sonnet-5-5", "21610", "unknown_recipient"]
    assert [short(word) for word in words] == words


@pytest.mark.parametrize(("seconds", "text"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (172_800, "2 d")])
def test_a_length_of_time_is_in_its_largest_fitting_unit(seconds: float, text: str) -> None:
    """Coarse is enough for a person."""
    assert age(seconds) == text


def test_a_ledger_line_is_time_type_short_ids_and_figures() -> None:
    """No version, no empty fields, no control characters."""
    row = describe(Line("1763848800123-0", "sent", {"v": "1", "conv": "c-0123456789abcdef01234567", "code": "", "reason": "a\x1b[0m"}))
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.123  .*sent.*  conv=c-01234567 reason=a�\[0m", row)
