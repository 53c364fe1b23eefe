"""HTML to plain text, in time and memory linear in its input.

Layout engines are not used: a mail's author chooses the HTML. inscriptis 2.7 makes 100 MB of text from a 65 kB table and
1 MB from ten `margin-left` styles, and libxml2 drops what stands deeper than 256 elements (all tried). A mail needs words
and paragraphs; quoted blocks are marked with ">" so that the quote can be told from the answer.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from typing import Final

MAX_INPUT: Final = 1_000_000
MAX_MARKUP: Final = 100_000  # beyond that many tags, words without layout
MAX_TAG: Final = 20_000
MAX_DECLARATION: Final = 500
MAX_QUOTES: Final = 5

_OPENING: Final = re.compile(r"<(?=[a-zA-Z/!?])")
_ANY_TAG: Final = re.compile(r"<[a-zA-Z/!?][^<>]{0,2000}>")
_TAG_NAME: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:-]{0,30})")
_ENDS: Final = re.compile("[<>\"']")
_SPACES: Final = re.compile(r"[ \t\n\r\f]+")
_LONG_NUMBER: Final = re.compile(r"&#[xX]?0*[0-9a-fA-F]{8,};?")
_UNSEEN: Final = frozenset({"script", "style", "head", "title", "template", "noscript", "svg", "math", "object"})
_PARAGRAPHS: Final = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "pre", "hr", "blockquote"})
_LINES: Final = frozenset(
    {"div", "tr", "li", "dt", "dd", "section", "article", "header", "footer", "address", "form", "center", "body", "html"}
)


def to_text(source: str) -> str:
    """The words of an HTML text (its first million characters)."""
    source = source[:MAX_INPUT]
    writer = _Writer()
    position = 0
    for _ in range(MAX_MARKUP):
        opening = _OPENING.search(source, position)
        if opening is None:
            break
        writer.words(source[position : opening.start()])
        position = _markup(source, opening.start(), writer)
    writer.words(_ANY_TAG.sub(" ", source[position:]))
    return writer.text()


def _markup(source: str, opening: int, writer: _Writer) -> int:
    """Handle what begins with "<"; the position behind it."""
    tag = _TAG_NAME.match(source, opening)
    if tag is None:
        return _declaration(source, opening, writer)
    end = _tag_end(source, tag.end())
    if end is None:  # no tag after all
        writer.words(source[opening : tag.end()])
        return tag.end()
    closing, name = bool(tag[1]), tag[2].lower()
    if name in _UNSEEN and not closing:
        return _behind_element(source, end, name)
    writer.tag(name, closing=closing)
    return end


def _declaration(source: str, opening: int, writer: _Writer) -> int:
    """Skip a comment, a doctype or a processing instruction; any other "<" is text."""
    if source.startswith("<!--", opening):
        end = source.find("-->", opening + 4)
        return len(source) if end < 0 else end + 3
    if source.startswith(("<!", "<?", "</"), opening):
        end = source.find(">", opening, opening + MAX_DECLARATION)
        if end >= 0:
            return end + 1
    writer.words("<")
    return opening + 1


def _tag_end(source: str, start: int) -> int | None:
    """The position behind a tag's ">", which may also stand in its quoted attributes; None when it does not end."""
    limit = min(len(source), start + MAX_TAG)
    position = start
    while position < limit:
        found = _ENDS.search(source, position, limit)
        if found is None:
            return None
        if found[0] == ">":
            return found.end()
        if found[0] == "<":
            return None
        closing = source.find(found[0], found.end(), limit)
        position = found.end() if closing < 0 else closing + 1
    return None


def _behind_element(source: str, start: int, name: str) -> int:
    """The position behind an element whose content is not shown; the end of the text when it is never closed."""
    closing = re.compile(rf"</{name}\s*>", re.IGNORECASE).search(source, start)
    return closing.end() if closing else len(source)


@dataclass(slots=True)
class _Writer:
    """Collects lines; knows how deep in quoted blocks it is."""

    lines: list[str] = field(default_factory=list)
    current: list[str] = field(default_factory=list)
    quotes: int = 0
    verbatim: int = 0

    def words(self, source: str) -> None:
        if not source:
            return
        text = html.unescape(_LONG_NUMBER.sub("\ufffd", source)) if "&" in source else source
        text = text.replace("\xa0", " ")
        if self.verbatim:
            first, *rest = text.split("\n")
            self.current.append(first)
            for line in rest:
                self.end_line()
                self.current.append(line)
        else:
            self.current.append(_SPACES.sub(" ", text))

    def tag(self, name: str, *, closing: bool) -> None:
        if name == "br":
            self.end_line(always=True)
        elif name in ("td", "th"):
            self.current.append(" " if closing else "")
        elif name in _PARAGRAPHS:
            self.end_paragraph()
        elif name in _LINES:
            self.end_line()
        if name == "li" and not closing:
            self.current.append("- ")
        if name == "pre":
            self.verbatim = 0 if closing else 1
        if name == "blockquote":
            self.quotes = max(0, min(MAX_QUOTES, self.quotes + (-1 if closing else 1)))

    def end_line(self, *, always: bool = False) -> None:
        """End the current line; an empty one counts only when it was asked for."""
        line = "".join(self.current)
        line = line.rstrip() if self.verbatim else line.strip()
        self.current.clear()
        if line or always or self.verbatim:
            self.lines.append(("> " * self.quotes + line).rstrip())

    def end_paragraph(self) -> None:
        self.end_line()
        if self.lines and self.lines[-1].strip("> "):
            self.lines.append(("> " * self.quotes).rstrip())

    def text(self) -> str:
        self.end_line()
        return re.sub(r"\n{3,}", "\n\n", "\n".join(self.lines)).strip("\n")
