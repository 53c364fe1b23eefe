"""The two parts of a mail, plain text and HTML, of the model's words. Pure."""

from __future__ import annotations

from typing import Final

from supervisor_worker.channels.sendgrid import html, plain
from supervisor_worker.channels.sendgrid.markdown import MarkdownBlock, paragraphs, parse
from supervisor_worker.channels.truncation import cut

MAX_TRIES: Final = 4
MOST_GROWTH: Final = 16
"""How many times as long as a text of plain paragraphs its HTML can be: an ampersand in an address takes ten bytes, more than any other."""


def of(text: str, limit: int) -> tuple[str, str]:
    """Plain text and HTML of a cleaned text, each at most `limit` bytes; '' and '' where nothing is to be shown.

    Both are made of the same words: where one of them is too long, the text is cut.
    """
    size = limit
    for _ in range(MAX_TRIES):
        shown = cut(text, size, "utf-8")
        both = _both(parse(shown))
        longest = max(len(part.encode()) for part in both)
        if longest <= limit:
            return both
        size = min(size, len(shown.encode())) * limit // (longest + longest // 20)
    return _both(paragraphs(cut(text, limit // MOST_GROWTH, "utf-8")))


def _both(blocks: tuple[MarkdownBlock, ...]) -> tuple[str, str]:
    words = plain.text(blocks)
    return (words, html.document(blocks)) if words else ("", "")
