"""Quoted lines whose end a program has broken off: the end goes with the quote, and no word of the author's does."""

from __future__ import annotations

import random
import time
from typing import Final

from supervisor_worker.assistant.folding import HeldText, fold

WORDS: Final = [f"word{number}" for number in range(400)]
ANSWER: Final = "\n".join(" ".join(WORDS[start : start + 10]) for start in range(0, 400, 10))
HELD: Final = [HeldText((ANSWER,), "your answer", ours=True)]
ON: Final = "On Mon, 3 May 2027 at 09:00, Boss <boss@example.com> wrote:"


def left(body: str) -> str:
    """What is not folded."""
    shown, position = [], 0
    for each in fold(body, HELD, ["boss@example.com"]):
        shown.append(body[position : each.start])
        position = each.end
    return " ".join("".join([*shown, body[position:]]).split())


def broken(words: int) -> list[str]:
    """The quote with the last words of each line in a line of their own, without a mark."""
    lines = []
    for line in ANSWER.split("\n"):
        kept = line.split(" ")
        lines += [f"> {' '.join(kept[:-words])}", " ".join(kept[-words:])]
    return [*lines, "> word399"]


def test_the_ends_that_were_broken_off_go_with_the_quote() -> None:
    """One word or several; the last line is quoted again, as it stands below them."""
    for words in (1, 2, 4):
        lines = broken(words)[:-2]
        assert left(f"Nine.\n\n{ON}\n" + "\n".join(lines)) == "Nine.", words


def test_what_somebody_types_between_the_lines_stays() -> None:
    """Also words of the quote itself, unless they are those that stand there; and a line of them below the quote."""
    chance = random.Random(14)  # noqa: S311 - the same every time
    whole = [f"> {line}" for line in ANSWER.split("\n")]
    for _ in range(200):
        lines, number = list(whole), chance.randrange(1, len(whole))
        at = chance.randrange(390)
        typed = " ".join(WORDS[at : at + chance.randint(1, 5)])
        lines.insert(number, typed)
        assert typed in left(f"Nine.\n\n{ON}\n" + "\n".join(lines)), (number, typed)
    for typed in ("yes", "word9 yes", "word10?"):
        lines = [*whole[:1], typed, *whole[1:]]
        assert typed in left(f"Nine.\n\n{ON}\n" + "\n".join(lines))
    skipping = [*whole[:2], "word20 word21 word22", *whole[3:]]  # the very words that come next, and the quote goes on elsewhere
    assert "word20 word21 word22" in left(f"Nine.\n\n{ON}\n" + "\n".join(skipping))
    assert "word19 word20" in left(f"{ON}\n" + "\n".join(whole[:2]) + "\nword19 word20\n\nNine.")


def test_no_shape_takes_long() -> None:
    """A hundred thousand characters of lines that may be ends."""
    shapes = ["> word1\nword2\n" * 7_000, "> a\nb\n" * 16_000, "> word1 word2\nword3 word4\n" * 4_000]
    held = [HeldText((f"{WORDS[1]} {WORDS[2]} " * 20_000,), "your answer", ours=True)]
    for shape in shapes:
        start = time.thread_time()
        fold(shape, held, [])
        assert time.thread_time() - start < 1.5
