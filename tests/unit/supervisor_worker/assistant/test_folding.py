"""Folding: a quote of what is held goes, and nothing else ever does."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.folds import Fold, decode, encode
from supervisor_worker.assistant.folding import HeldText, fold
from supervisor_worker.assistant.folding.letters import letters

ANSWER = """\
The trip costs 300 for two people, and the train leaves at nine.

Shall I book it, or do you prefer the later one? It arrives at noon.

1. Apples
2. Pears and plums
3. Window seats cost more"""
LONG = "\n\n".join(
    f"Part {number}: the offer of {word} is valid for {number} weeks, and it holds for every one of the rooms on that floor."
    for number, word in enumerate(["Leeds", "York", "Hull", "Bath", "Ely"], 2)
)
OURS = HeldText((ANSWER,), "your answer of 3 May 2027, 09:00", ours=True)
OFFER = HeldText((LONG,), "your answer of 2 May 2027, 09:00", ours=True)
SHORT = HeldText(("Yes, at eight.",), "your answer of 1 May 2027, 09:00", ours=True)
THEIRS = HeldText(
    ("Could you find out what the train to Leeds costs, and when it leaves?",), "their message of 1 May 2027, 08:00", ours=False
)
HELD = [OURS, OFFER, THEIRS, SHORT]
NAMES = ["Boss", "boss@example.com", "Ada Lovelace"]
ON = "On Mon, 3 May 2027 at 09:00, Boss <boss@example.com> wrote:"
HEAD = "From: Boss <boss@example.com>\nSent: Monday, 3 May 2027 09:00\nTo: Ada\nSubject: Re: Trip\n\n"


def quoted(text: str, mark: str = "> ") -> str:
    return "\n".join(f"{mark}{line}".rstrip() for line in text.split("\n"))


def left(mail: str, held: list[HeldText] | None = None) -> str:
    """What of a mail is still shown, in one line."""
    shown, position = [], 0
    for each in fold(mail, HELD if held is None else held, NAMES):
        shown.append(mail[position : each.start])
        position = each.end
    return " ".join("".join([*shown, mail[position:]]).split())


FOLDED = [
    (f"Nine.\n\n{ON}\n\n{quoted(ANSWER)}\n", "Nine."),
    (f"Nine.\n\n{ON}\n{quoted(ANSWER, '>')}", "Nine."),
    (f"Nine.\n\n{ON}\n{quoted(ANSWER.replace('two people, and', 'two people,' + chr(10) + 'and').replace(chr(39), chr(0x2019)))}", "Nine."),
    (f"Nine.\n\n{ON}\n{quoted(ANSWER.replace('1. ', '* ').replace('2. ', '* ').replace('3. ', '* '))}", "Nine."),
    (f"Nine.\n\n{HEAD}{ANSWER}", "Nine."),
    (f"Nine.\n\n________________________________\n{HEAD}{ANSWER}", "Nine."),
    (f"Nine.\n\n{ANSWER}", "Nine."),
    (f"{ON}\n{quoted(ANSWER)}\n\nNine.", "Nine."),
    (f"{quoted(ANSWER)}\n\nNine.", "Nine."),
    (f"Nine.\n\n{ON}\n> Yes, at eight.", "Nine."),
    (f"Nine.\n\n{ON}\nYes, at eight.", "Nine."),
    (f"Nine.\n\nAm 3. Mai 2027 um 09:00 schrieb Boss:\n{quoted(ANSWER)}", "Nine."),
    (f"Nine.\n\n2027/05/03 9:00 Boss <boss@example.com>:\n{quoted(ANSWER)}", "Nine."),
    (f"Nine.\n\n{ON}\n{quoted(ANSWER)}\n>\n> {ON.replace('Boss <boss', 'Ada <ada')}\n>> {THEIRS.forms[0]}", "Nine."),
    (f"Nine.\n\n{HEAD}{ANSWER}\n\n{HEAD.replace('Boss <boss', 'Ada <ada')}{THEIRS.forms[0]}", "Nine."),
]


def test_a_quote_of_a_held_text_is_folded_with_what_says_whose_it_is() -> None:
    """By `>`, header lines or nothing; wrapped anew, without its numbers; above, below; older ones within it."""
    assert [left(mail) for mail, _ in FOLDED] == [shown for _, shown in FOLDED]


FIRST = "> Shall I book it, or do you prefer the later one?\n> It arrives at noon."
KEPT = [
    ANSWER,
    f"Nine.\n\n{THEIRS.forms[0]}",
    f"{ON}\n{FIRST}\n\nNo, the later one.",
    f"{FIRST}\n\nThe later one.",
    "You said: Shall I book it, or do you prefer the later one?",
    f"{ANSWER.replace('Pears and plums', 'Pears, plums and cherries')}\n\nThat is the new list.",
    "Window seats cost more",
    f"Hi\n\n{ON}\n> Something that you never wrote, and that nobody holds.",
    f"{LONG}\n\nMake this shorter, please.",
    "> a foreign text that is much longer than what is held, and holds just\n> Window seats cost more\n> in between, and goes on",
    "",
]


def test_whatever_differs_is_the_author_s_and_stays() -> None:
    """What they answer, send again, change or take up; and the mail that consists of nothing else."""
    assert [left(mail) for mail in KEPT] == [" ".join(mail.split()) for mail in KEPT]


TYPED = [
    (f"{ON}\n" + quoted(ANSWER).replace("> 2. Pears", "> no apples please\n> 2. Pears"), "no apples please"),
    (f"{ON}\n" + quoted(ANSWER).replace("> 2. Pears", "no apples please\n> 2. Pears"), "no apples please"),
    (f"{ON}\n" + quoted(ANSWER).replace("It arrives", "At nine. It arrives"), "At nine."),
    (f"{ON}\n" + quoted(ANSWER).replace("arrives at noon.", "arrives at noon. Good!"), "Good!"),
    (f"{ON}\n" + quoted(ANSWER).replace("> 3. Window", "> Window\n> 3. Window"), "> Window >"),
    (f"{ON}\n" + quoted(ANSWER).replace("> 3. Window", "Window\n\n> 3. Window"), "Window"),
    (f"{ON}\n" + quoted(ANSWER).replace("later one?", "later one???"), "later one???"),
    (f"{ON}\n" + quoted(ANSWER) + "\n> \U0001f44d", "\U0001f44d"),
    (f"{HEAD}" + ANSWER.replace("one? It", "one? ANSWER: nine. It"), "ANSWER: nine."),
    (f"Answers to your mail of 3 May, 9:00 to boss@example.com:\n{quoted(ANSWER)}", ""),
]


def test_what_is_typed_into_a_quote_stays_with_its_whole_line() -> None:
    """In a line of its own or not, also words that the quote repeats; and what only looks like an attribution stands in the note."""
    for mail, words in TYPED:
        assert words in left(mail), mail
        assert fold(mail, HELD, NAMES) or mail.startswith(HEAD), mail
    (only,) = fold(TYPED[-1][0], HELD, NAMES)
    assert only.note.endswith("Above it stands: Answers to your mail of 3 May, 9:00 to boss@example.com:")


SEATS = "The train is nearly full on that day, I am afraid.\nWindow seats cost more than those at the aisle, and they go first."


def test_words_that_the_quote_goes_on_with_are_told_from_it_by_where_they_stand() -> None:
    """Typed above the line that begins with them, below a quote that was cut before them, or as a line made of two pieces of it."""
    first, second = SEATS.split("\n")
    held = [HeldText((SEATS,), "your answer", ours=True), OURS]
    assert "> Window >" in left(f"{ON}\n> {first}\n> Window\n> {second}", held)
    assert left(f"{ON}\n> {first}\n\nWindow", held).endswith("Window")
    pieces = "> The train is nearly full on that day, those at the aisle, and they go first."
    assert pieces in left(f"{ON}\n> {first}\n> {second}\n{pieces}", held)


def test_of_a_long_quote_above_an_answer_the_last_of_it_stays() -> None:
    """A hundred and twenty letters of the last paragraph: what the words below answer."""
    cut = "\n\n".join(LONG.split("\n\n")[:3])
    shown = left(f"{ON}\n{quoted(cut)}\n\nYes, that one.")
    assert shown.startswith("> Part 4: the offer of Hull")
    assert shown.endswith("on that floor. Yes, that one.")


def test_the_note_names_the_message_and_whether_all_of_it_was_quoted() -> None:
    """Left-out lines are invisible otherwise; under 85 of a hundred letters are a part."""
    assert fold(f"Ok.\n{quoted(ANSWER)}", HELD)[0].note == "Left out here: a quote of your answer of 3 May 2027, 09:00"
    assert fold(f"Ok.\n{ON}\n{FIRST}", HELD)[0].note.startswith(
        "Left out here: a quote of your answer of 3 May 2027, 09:00, in part. Above"
    )
    assert "their message of 1 May" in fold(f"Ok.\n> {THEIRS.forms[0]}", HELD)[0].note


def test_letters_are_what_mail_programs_do_not_change() -> None:
    """Case, wraps, marks, dashes and forms of a letter go; what may be an answer stays."""
    assert letters("> *Don\u2019t*\u00a0\u2013 \uff21\ufb01_x") == letters("don't\nAfi x") == "dontafix"
    assert letters("???") == "???"
    assert letters("+1 \U0001f44d 5% \u20ac") == "+1\U0001f44d5%\u20ac"
    assert letters("\u3053\u308c\u306f\u3001\u30d1\u30f3") == "\u3053\u308c\u306f\u30d1\u30f3"


@given(
    st.lists(st.sampled_from([*ANSWER.split("\n"), "> ", ">", "x", "Window", ON, "> 2. Pears and plums", "new words of mine"]), max_size=30)
)
def test_no_letter_is_lost_that_no_held_text_has(lines: list[str]) -> None:
    """Whatever a mail is made of: what is folded consists of held lines, blank ones, and attributions that the note repeats."""
    mail = "\n".join(lines)
    known = {letters(line) for line in ANSWER.split("\n")} | {""}
    for each in fold(mail, HELD, NAMES):
        for line in mail[each.start : each.end].split("\n"):
            assert letters(line) in known or line in each.note


def test_folds_are_read_as_they_were_written_and_nothing_else_is_believed() -> None:
    """A record that cannot be read shows the text whole."""
    folds = (Fold(0, 3, "a"), Fold(5, 9, "\u27e6b"))
    assert decode(encode(folds)) == folds
    for text in ("", "x", "{}", "[[1]]", '[["a", 2, "x"]]', '[[3, 1, "x"]]', '[[-1, 1, "x"]]', "null", "[1]"):
        assert decode(text) == ()


WORDS = [f"{chr(97 + number % 26)}{number * 7919 % 10_007}word" for number in range(6_000)]
PROSE = "\n".join(" ".join(WORDS[start : start + 12]) for start in range(0, 6_000, 12))
SHAPES = {
    "new": PROSE.replace("w", "v"),
    "quoted": quoted(PROSE),
    "only quotes": ">\n" * 50_000,
    "short quotes": "> a\n" * 25_000,
    "blank lines": "\n" * 100_000,
    "deep": ">" * 100_000,
    "alternating": "> a\nb\n" * 16_000,
    "period": "ab" * 50_000,
    "broken period": ("ab" * 10 + "x") * 4_700,
    "labels": "From: a\n" * 12_000,
    "attributions": "1 2 a@b:\n" * 11_000,
    "held lines apart": "\n".join(f"> {line}\nx" for line in PROSE.split("\n")),
    "items": "> a1\n> a2\nx\n" * 8_000,
    "marks": "e" + "\u0301" * 99_000,
    "letters of many alphabets": "".join(map(chr, range(0x3400, 0x9000))) * 4,
}
HOLDS = {
    "prose": [HeldText((PROSE[start : start + 40_000],), str(start), ours=True) for start in range(0, 200_000, 40_000)],
    "period": [HeldText(("ab" * 100_000,), "x", ours=True)],
    "items": [HeldText(("\n".join(f"a{number % 10}" for number in range(60_000)),), "x", ours=True)],
    "short": [SHORT],
}


@pytest.mark.many_inputs
@pytest.mark.parametrize("held", HOLDS)
def test_no_shape_takes_long(held: str) -> None:
    """Each under a tenth of a second of CPU where nothing else runs, three times over here."""
    for name, shape in SHAPES.items():
        start = time.thread_time()
        fold(shape[:100_000], HOLDS[held], NAMES)
        assert time.thread_time() - start < 0.3, name
