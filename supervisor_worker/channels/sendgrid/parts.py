"""The two parts of a mail, plain text and HTML, of the model's words. Pure."""

from __future__ import annotations

from html import unescape
from typing import Final

from shared.model.text import clean
from supervisor_worker.channels.markdown.blocks import ENTITY, MarkdownBlock, PieceWriter, paragraphs, parse
from supervisor_worker.channels.markdown.parser import MAX_MARKDOWN
from supervisor_worker.channels.sendgrid import html, plain
from supervisor_worker.channels.sendgrid.links import write_link
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
        both = _both(blocks_of(shown))
        longest = max(len(part.encode()) for part in both)
        if longest <= limit:
            return both
        size = min(size, len(shown.encode())) * limit // (longest + longest // 20)
    return _both(paragraphs(cut(text, limit // MOST_GROWTH, "utf-8"), WRITER))


def blocks_of(text: str) -> tuple[MarkdownBlock, ...]:
    """The blocks of a cleaned text; what cannot be read as Markdown, and what stands behind MAX_MARKDOWN, is plain paragraphs."""
    end = len(text) if len(text) <= MAX_MARKDOWN else text.rfind("\n\n", 0, MAX_MARKDOWN)
    read = parse(text[:end], WRITER) if end > 0 else None
    if read is None:
        return paragraphs(text, WRITER)
    return read + (paragraphs(text[end:], WRITER) if text[end:] else ())


def _words(text: str) -> str:
    """What an entity stands for may be a character that nobody sees."""
    return clean(ENTITY.sub(lambda entity: unescape(entity[0]), text)) if "&" in text else text


WRITER: Final = PieceWriter(write_link, _words)


def _both(blocks: tuple[MarkdownBlock, ...]) -> tuple[str, str]:
    words = plain.text(blocks)
    return (words, html.document(blocks)) if words else ("", "")
