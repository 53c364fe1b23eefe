"""Folds what a mail quotes of the conversation that the question shows above it. Pure.

A line is held if each of its letters lies in a run of letters that stands alike in a held text. Nothing but held lines, the blank lines
between them and the attribution above is ever folded: a line with one letter more stays whole, in its place.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from shared.model.folds import MAX_FOLDS, Fold
from supervisor_worker.assistant.folding import overflows
from supervisor_worker.assistant.folding.blocks import QuotingMail
from supervisor_worker.assistant.folding.held import SEED, Held, HeldText
from supervisor_worker.assistant.folding.runs import LetterLines, held_lines, runs_of
from supervisor_worker.assistant.folding.short_texts import add_short

__all__ = ["HeldText", "fold"]


def fold(text: str, texts: Sequence[HeldText], names: Collection[str] = ()) -> tuple[Fold, ...]:
    """What of a mail is folded. `texts` are those that the question shows, newest first; `names` the names and addresses of both sides."""
    held = Held.of(texts)
    if not held.forms:
        return ()
    lines = overflows.joined(LetterLines.of(text), held)
    runs = runs_of(lines, held) if len(lines.stream) >= SEED else []
    found = held_lines(lines, runs, held)
    known = frozenset(name.casefold() for name in names if name.strip())
    add_short(lines, held, known, found)
    if not any(found):
        return ()
    return tuple(QuotingMail(lines, found, runs, held, known).folds())[:MAX_FOLDS]
