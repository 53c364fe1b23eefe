"""What a question holds of a conversation already, by letters, and where any sixteen letters stand in it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from supervisor_worker.assistant.folding.letters import letters, without_number

MAX_HELD: Final = 200_000
"""Letters of all held texts together; the oldest are left out."""
SEED: Final = 16
STEP: Final = 8
"""A seed of 16 letters at every 8th place finds each run of 23."""
MAX_PLACES: Final = 4
BREAK: Final = "\n"
"""Between two texts: no letter, so that no run crosses it."""


@dataclass(frozen=True, slots=True)
class HeldText:
    """A message that the question shows: its text as it was sent, in each form (plain and from HTML). `name` is what a note calls it."""

    forms: tuple[str, ...]
    name: str
    ours: bool


@dataclass(frozen=True, slots=True)
class HeldForm:
    """One form of a text: its place in the stream, and the number of its text."""

    start: int
    end: int
    text: int


@dataclass(slots=True)
class Held:
    """The letters of all texts in one stream, the places of seeds in it, their lines (each with its form), and those without letters."""

    texts: Sequence[HeldText]
    stream: str = ""
    forms: list[HeldForm] = field(default_factory=list)
    seeds: dict[str, list[int]] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    bare_lines: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, texts: Sequence[HeldText]) -> Held:
        """From the newest to the oldest, as far as there is room."""
        held = cls(texts)
        pieces: list[str] = []
        size = 0
        for number, form in held._distinct():
            lines = [letters(line) for line in form.split("\n")]
            said = "".join(lines)
            if not said or size + len(said) > MAX_HELD:
                continue
            for line in (line for each in lines for line in (each, without_number(each)) if line):
                held.lines.setdefault(line, len(held.forms))
            held.forms.append(HeldForm(size, size + len(said), number))
            pieces.append(said)
            size += len(said) + len(BREAK)
            held.bare_lines.update(line.strip() for line, each in zip(form.split("\n"), lines, strict=True) if not each and line.strip())
        held.stream = BREAK.join(pieces)
        for form_at in held.forms:
            for place in range(form_at.start, form_at.end - SEED + 1, STEP):
                places = held.seeds.setdefault(held.stream[place : place + SEED], [])
                if len(places) < MAX_PLACES:
                    places.append(place)
        return held

    def _distinct(self) -> Iterator[tuple[int, str]]:
        """Each form once, with the number of its text."""
        known: set[str] = set()
        for number, text in enumerate(self.texts):
            for form in text.forms:
                if form not in known:
                    known.add(form)
                    yield number, form

    def short(self, at_most: int) -> dict[str, int]:
        """The texts of at most so many letters, by their letters, with the number of the newest such text."""
        found: dict[str, int] = {}
        for form in self.forms:
            if form.end - form.start <= at_most:
                found.setdefault(self.stream[form.start : form.end], form.text)
        return found
