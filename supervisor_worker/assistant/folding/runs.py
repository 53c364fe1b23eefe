"""Finds the runs of letters that a mail shares with held texts, and the lines that consist of them. Pure.

A run is at least 24 letters: fewer stand in other texts by chance. It stays within quoted lines, or within others, so that a word typed
below a quote is not taken for the quote's next one. What is typed into a quote shows by jumps: where two runs meet inside a line without
following each other in the held text, and where they use the same letters twice ("Window" above "Window seats cost more").
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

from supervisor_worker.assistant.folding.held import BREAK, SEED, Held
from supervisor_worker.assistant.folding.letters import letters

MIN_RUN: Final = 24
MAX_TWICE: Final = 40
"""Letters that two runs may both use without a jump; more are a sentence that the held text repeats."""
MIN_REPEATED: Final = 3
MAX_MISSES: Final = 2_000
NEAR: Final = 2_000
"""How far behind the last run's end its continuation is looked for first."""


@dataclass(frozen=True, slots=True)
class SharedRun:
    """The letters from `start` to before `end` of the mail stand in the held stream from `place` on."""

    start: int
    end: int
    place: int

    def length(self) -> int:
        """How many letters it has."""
        return self.end - self.start

    @property
    def place_end(self) -> int:
        """Where it ends in the held stream."""
        return self.place + self.end - self.start


@dataclass(frozen=True, slots=True)
class LetterLines:
    """A mail by lines: what each says, its letters, and whether it is quoted; `starts` are the places of the lines' letters in `stream`."""

    texts: list[str]
    letters: list[str]
    starts: list[int]
    stream: str
    quoted: list[bool]

    @classmethod
    def of(cls, text: str) -> LetterLines:
        """The lines of a text."""
        texts = text.split("\n")
        said = [letters(line) if line else "" for line in texts]
        return cls(texts, said, [0, *accumulate(map(len, said))], "".join(said), [line.startswith(">") for line in texts])

    def segments(self) -> Iterator[tuple[int, int]]:
        """The stretches of the stream whose lines are all quoted, or all not; lines without letters belong to either."""
        start, before = 0, None
        for number, said in enumerate(self.letters):
            if said:
                if before is not None and self.quoted[number] != before:
                    yield start, self.starts[number]
                    start = self.starts[number]
                before = self.quoted[number]
        yield start, len(self.stream)


def runs_of(lines: LetterLines, held: Held) -> list[SharedRun]:
    """The runs of a mail, in their order."""
    search = _Search(lines.stream, held)
    return [run for start, end in lines.segments() if end - start >= MIN_RUN for run in search.runs(start, end)]


class _Search:
    """The search for runs in one mail. It ends after MAX_MISSES seeds that led to none: what is not found is not folded."""

    def __init__(self, stream: str, held: Held) -> None:
        self._stream = stream
        self._held = held
        self._misses = MAX_MISSES

    def runs(self, start: int, end: int) -> Iterator[SharedRun]:
        """The runs of one segment."""
        stream, seeds = self._stream, self._held.seeds
        last: SharedRun | None = None
        at = start
        for hit in [place for place in range(start, end - SEED + 1) if stream[place : place + SEED] in seeds]:
            while last is not None and hit >= at:
                last = self._continued(last, end)
                if last is not None:
                    yield last
                    at = last.end
            if hit < at or not self._misses:
                continue
            found = [self._longest(hit, (at, end), place) for place in seeds[stream[hit : hit + SEED]]]
            last = max(found, key=SharedRun.length)
            if last.length() < MIN_RUN:
                self._misses -= 1
                last = None
                continue
            yield last
            at = last.end

    def _continued(self, last: SharedRun, end: int) -> SharedRun | None:
        """The run that goes on near the last one's end in the held text: where that repeats a sentence, others are as long."""
        behind = last.place_end
        form_end = self._held.stream.find(BREAK, behind)
        until = min(behind + NEAR, form_end if form_end >= 0 else len(self._held.stream))
        for at in range(last.end, min(last.end + SEED, end - SEED + 1)):
            place = self._held.stream.find(self._stream[at : at + SEED], behind, until)
            if place >= 0:
                run = self._longest(at, (last.end, end), place)
                if run.length() >= MIN_RUN:
                    return run
        return None

    def _longest(self, at: int, bounds: tuple[int, int], place: int) -> SharedRun:
        """The run around a seed, lengthened both ways within the bounds."""
        behind = _common(self._stream, at, bounds[1], self._held.stream, place)
        before = _common_before(self._stream, at, bounds[0], self._held.stream, place)
        return SharedRun(at - before, at + behind, place - before)


def _common(left: str, i: int, end: int, right: str, j: int) -> int:
    """How many letters are the same from `i` and `j` on, by slices that double, and then halve."""
    most = min(end - i, len(right) - j)
    same, step = 0, SEED
    while same + step <= most and left[i + same : i + same + step] == right[j + same : j + same + step]:
        same += step
        step *= 2
    while step:
        if same + step <= most and left[i + same : i + same + step] == right[j + same : j + same + step]:
            same += step
        step //= 2
    return same


def _common_before(left: str, i: int, start: int, right: str, j: int) -> int:
    """How many letters are the same directly before `i` and `j`."""
    most = min(i - start, j)
    same, step = 0, SEED
    while same + step <= most and left[i - same - step : i - same] == right[j - same - step : j - same]:
        same += step
        step *= 2
    while step:
        if same + step <= most and left[i - same - step : i - same] == right[j - same - step : j - same]:
            same += step
        step //= 2
    return same


def held_lines(lines: LetterLines, runs: list[SharedRun], held: Held) -> list[bool]:
    """Which lines are held: each of their letters is in a run, and none of them is at a jump; lines without letters are not."""
    found = [False] * len(lines.texts)
    typed = _typed(lines, runs)
    number = 0
    for line, (start, end) in enumerate(pairwise(lines.starts)):
        if start == end or line in typed:
            continue
        while number < len(runs) and runs[number].end <= start:
            number += 1
        at, each = start, number
        while each < len(runs) and runs[each].start <= at < end:
            at = runs[each].end
            each += 1
        found[line] = at >= end
    _add_items(lines, held, found, typed)
    return found


def _typed(lines: LetterLines, runs: list[SharedRun]) -> set[int]:
    """The lines at a jump: somebody may have typed into them."""
    typed: set[int] = set()
    for one, other in pairwise(runs):
        if one.end != other.start or one.place_end == other.place:
            continue
        line = bisect_right(lines.starts, other.start) - 1
        if lines.starts[line] != other.start:
            typed.add(line)
        elif 0 < one.place_end - other.place <= MAX_TWICE or _repeats(lines.stream, one, other):
            typed |= {line, bisect_right(lines.starts, one.end - 1) - 1}
    return typed


def _repeats(stream: str, one: SharedRun, other: SharedRun) -> bool:
    """Whether one run ends with the letters with which the next one begins, wherever they stand in the held texts (in two forms of one)."""
    most = min(MAX_TWICE, one.length(), other.length())
    return any(stream[one.end - size : one.end] == stream[other.start : other.start + size] for size in range(MIN_REPEATED, most + 1))


def _add_items(lines: LetterLines, held: Held, found: list[bool], typed: set[int]) -> None:
    """A short quoted line counts if it is a line of a held text, and so is its neighbour: lists lose their numbers in HTML."""
    before, known_before = -1, False
    for number, said in enumerate(lines.letters):
        if not said:
            continue
        known = lines.quoted[number] and number not in typed and (found[number] or said in held.lines)
        if known and known_before:
            found[before] = found[number] = True
        before, known_before = number, known
