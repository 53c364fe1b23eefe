"""Folds: which part of a received text is shown as one note, since the conversation that stands above it holds its words already.

They are judged once, when the message is first shown in a question, and stored with it: what was shown once is shown alike ever after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.errors import BadInput
from shared.model import codec

MAX_FOLDS: Final = 200
MAX_NOTE: Final = 2_000


@dataclass(frozen=True, slots=True)
class Fold:
    """The characters from `start` to before `end`, and the words of the note that stands in their place."""

    start: int
    end: int
    note: str


def encode(folds: Sequence[Fold]) -> str:
    """The folds of a message as its record keeps them; "[]" for one that was judged and has none."""
    return codec.dumps([[fold.start, fold.end, fold.note[:MAX_NOTE]] for fold in folds[:MAX_FOLDS]])


def decode(text: str) -> tuple[Fold, ...]:
    """The folds of a record's field; none where it cannot be read: then the text is shown whole."""
    try:
        return tuple(_fold(item) for item in codec.loads(text)[:MAX_FOLDS])
    except (BadInput, TypeError, ValueError):
        return ()


def _fold(item: list[object]) -> Fold:
    start, end, note = item
    if not (isinstance(start, int) and isinstance(end, int) and isinstance(note, str) and 0 <= start < end):
        raise ValueError
    return Fold(start, end, note)
