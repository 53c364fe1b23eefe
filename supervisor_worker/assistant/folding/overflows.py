"""Finds the ends of quoted lines that a program has broken off, so that they stand without ">" in a line of their own. Pure.

Such a line is known by what stands around it: the quoted lines above and below it go on through it in a held text, letter for letter. So
nothing that somebody typed can be lost by it: whoever types a word between two lines of a quote does not find it in the held text there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from supervisor_worker.assistant.folding.held import Held
from supervisor_worker.assistant.folding.runs import LetterLines

AROUND: Final = 16
"""Letters of the lines above and below that must stand there, too; all of a shorter line's."""
LEAST: Final = 3
MAX_OVERFLOW: Final = 80
MAX_LOOKED_FOR: Final = 300


def joined(lines: LetterLines, held: Held) -> LetterLines:
    """The lines, with these ends as quoted ones."""
    quoted = list(lines.quoted)
    for looked_for, number in enumerate(_between_quotes(lines)):
        if looked_for == MAX_LOOKED_FOR:
            break
        start, end = lines.starts[number], lines.starts[number + 1]
        above = lines.stream[max(lines.starts[number - 1], start - AROUND) : start]
        below = lines.stream[end : min(lines.starts[number + 2], end + AROUND)]
        if min(len(above), len(below)) >= LEAST and above + lines.stream[start:end] + below in held.stream:
            quoted[number] = True
    return replace(lines, quoted=quoted) if quoted != lines.quoted else lines


def _between_quotes(lines: LetterLines) -> Iterator[int]:
    """The short lines right between two quoted ones."""
    for number in range(1, len(lines.texts) - 1):
        short = not lines.quoted[number] and 0 < len(lines.letters[number]) <= MAX_OVERFLOW
        if short and lines.quoted[number - 1] and lines.quoted[number + 1]:
            yield number
