"""Recognises quotes of held texts that are too short for a run ("Yes, at eight."): only whole, and only where they stand alone. Pure."""

from __future__ import annotations

from collections.abc import Collection
from itertools import groupby
from typing import Final

from supervisor_worker.assistant.folding import attributions
from supervisor_worker.assistant.folding.held import Held
from supervisor_worker.assistant.folding.runs import MIN_RUN, LetterLines

MAX_TAIL: Final = 40
"""Lines at the end of a mail in which an unmarked short quote is looked for."""


def add_short(lines: LetterLines, held: Held, names: Collection[str], found: list[bool]) -> None:
    """Mark the lines of such quotes as held: alone at their depth of quotation, or unmarked right under an attribution, at the end."""
    short = held.short(MIN_RUN - 1)
    if not short:
        return
    for first, last in _stretches(lines):
        said = lines.stream[lines.starts[first] : lines.starts[last + 1]]
        if len(said) >= MIN_RUN and last + 1 < len(lines.texts):  # the attribution of an older mail may stand below
            last = attributions.above(lines.texts, last + 1, names) - 1  # noqa: PLW2901
            said = lines.stream[lines.starts[first] : lines.starts[max(first, last + 1)]]
        begin = first if said in short else _below_attribution(lines, (first, last), short, names)
        if begin is not None:
            _mark(lines, begin, last, found)
    for number in range(len(lines.texts) - 1, max(-1, len(lines.texts) - MAX_TAIL), -1):
        said = lines.stream[lines.starts[number] :]
        if lines.quoted[number] or len(said) >= MIN_RUN:
            return
        if said in short and lines.letters[number] and attributions.above(lines.texts, number, names) < number:
            _mark(lines, number, len(lines.texts) - 1, found)
            return


def _below_attribution(lines: LetterLines, stretch: tuple[int, int], short: Collection[str], names: Collection[str]) -> int | None:
    """The line of a stretch from which on it is a short text, right under an attribution that is quoted with it; None for none."""
    first, last = stretch
    for number in range(last, first, -1):
        said = lines.stream[lines.starts[number] : lines.starts[last + 1]]
        if len(said) >= MIN_RUN:
            return None
        if said in short and lines.letters[number] and attributions.above(lines.texts, number, names) < number:
            return number
    return None


def _stretches(lines: LetterLines) -> list[tuple[int, int]]:
    """The first and last of the quoted lines of one depth in a row."""
    numbers = [number for number, quoted in enumerate(lines.quoted) if quoted and lines.letters[number]]
    found: list[tuple[int, int]] = []
    for _, group in groupby(numbers, key=lambda number: attributions.depth(lines.texts[number])):
        row = list(group)
        start = row[0]
        for one, other in zip(row, [*row[1:], -1], strict=True):
            if other < 0 or any(lines.letters[between] for between in range(one + 1, other)):
                found.append((start, one))
                start = other
    return found


def _mark(lines: LetterLines, first: int, last: int, found: list[bool]) -> None:
    for number in range(first, last + 1):
        found[number] = found[number] or bool(lines.letters[number])
