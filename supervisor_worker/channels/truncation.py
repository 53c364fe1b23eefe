"""Truncation of a text to its channel's limit: after a sentence, else after a word, and marked. Pure."""

from __future__ import annotations

from typing import Final

from shared.model.text import clean
from supervisor_worker.channels import sentences

CUT_MARK: Final = " [...]"


def cut(text: str, size: int, encoding: str) -> str:
    """`text` in at most `size` bytes of `encoding`."""
    whole = text.encode(encoding, "replace")
    if len(whole) <= size:
        return text
    kept = whole[: size - len(CUT_MARK.encode(encoding))].decode(encoding, "ignore")
    return _whole_sentences(kept, at_least=len(kept) // 2) + CUT_MARK


def cut_short(text: str) -> str:
    """A text that ends in the middle (the model's limit), cut back to its last whole sentence and marked."""
    text = clean(text).strip()
    return _whole_sentences(text, at_least=len(text) // 4) + CUT_MARK if text else ""


def _whole_sentences(text: str, *, at_least: int) -> str:
    ends = [end for end in sentences.ends(text) if end >= at_least]
    if ends:
        return text[: ends[-1]]
    words, _, _ = text.rpartition(" ")
    return (words if len(words) >= at_least else text).rstrip()
