"""A received text as the model is shown it: its author's own words first, and notes of ours around what others wrote. Pure.

Everything stays in its place. Where there is more than room for, own words take theirs first, and what others wrote shares what is left;
each cut is named where it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from shared.model.folds import Fold
from shared.model.marks import Mark, MarkKind
from supervisor_worker.channels.notes import MAX_TEXT, note, theirs

MAX_SOURCE: Final = 120
"""Characters of who wrote a part, in its note."""
END: Final = "End of what comes from others"
_KINDS: Final[dict[MarkKind, str]] = {"quoted": "quoted", "forwarded": "forwarded", "attached": "attached", "heard": "heard in a recording"}


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of the text: its author's own, or of `mark`, or one that `fold` stands for."""

    text: str
    mark: Mark | None = None
    fold: Fold | None = None


def laid_out(text: str, marks: Sequence[Mark], folds: Sequence[Fold] = (), room: int = MAX_TEXT) -> str:
    """The text with notes around what others wrote, in about `room` characters."""
    pieces = [piece for piece in _pieces(text, marks, folds) if piece.text or piece.fold]
    left = {True: room, False: 0}
    shown: dict[int, str] = {}
    for own in (True, False):  # what others wrote gets the room that own words leave
        for number, piece in enumerate(pieces):
            if piece.fold is None and (piece.mark is None) is own:
                shown[number] = _cut(piece.text, left[own])
                left[own] -= min(left[own], len(piece.text))
        left[False] = left[True] if own else 0
    return "\n\n".join(_noted(piece, shown.get(number, "")) for number, piece in enumerate(pieces))


def source_words(mark: Mark) -> str:
    """The note before what others wrote: whose it is and from when, as far as the text says it."""
    source = " ".join(theirs(mark.source).split())[:MAX_SOURCE].strip()
    return f"What follows comes from others: {_KINDS[mark.kind]}{f', {source}' if source else ''}"


def _noted(piece: _Piece, shown: str) -> str:
    if piece.fold is not None:
        return note(" ".join(theirs(piece.fold.note).split()))
    return shown if piece.mark is None else f"{note(source_words(piece.mark))}\n{shown}\n{note(END)}"


def _cut(text: str, room: int) -> str:
    if len(text) <= room:
        return text
    left_out = f"{len(text) - room:,} characters"
    return f"{text[:room]}\n{note(f'the rest, {left_out}, is left out')}" if room else note(f"{left_out} are left out")


def _pieces(text: str, marks: Sequence[Mark], folds: Sequence[Fold]) -> Iterator[_Piece]:
    """The parts in their order. A fold covers what is marked in it; each part is cleaned for itself, so that no offset moves."""
    spans = [*((mark.start, mark.end) for mark in marks), *((fold.start, fold.end) for fold in folds)]
    edges = {0, len(text), *(min(edge, len(text)) for span in spans for edge in span)}
    marks, folds = sorted(marks, key=lambda mark: mark.start), sorted(folds, key=lambda fold: fold.start)
    mark_at = fold_at = 0
    for start, end in pairwise(sorted(edges)):
        while mark_at < len(marks) and marks[mark_at].end <= start:
            mark_at += 1
        while fold_at < len(folds) and folds[fold_at].end <= start:
            fold_at += 1
        fold = folds[fold_at] if fold_at < len(folds) and folds[fold_at].start <= start else None
        mark = marks[mark_at] if mark_at < len(marks) and marks[mark_at].start <= start else None
        if fold is None:
            yield _Piece(theirs(text[start:end]), mark)
        elif fold.start == start:
            yield _Piece("", fold=fold)
