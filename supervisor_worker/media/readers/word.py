"""Word documents (DOCX): the text, a line a paragraph, a row of a table a line.

What was deleted under tracked changes, and what is hidden from a reader, is left out.
"""

from __future__ import annotations

import re
from typing import Final

from supervisor_worker.media.readers.extract import BoundedText
from supervisor_worker.media.readers.packages import Attributes, Package

_PARTS: Final = ("word/document.xml", "word/footnotes.xml", "word/endnotes.xml", "word/comments.xml")
_LABELS: Final = {"word/footnotes.xml": "Footnotes:", "word/endnotes.xml": "Endnotes:", "word/comments.xml": "Comments:"}
_HEADING: Final = re.compile(r"(?:Heading|berschrift|Titre|Ttulo|Titolo|Kop)([1-6])")
_LEFT_OUT: Final = frozenset({"Fallback", "moveFrom"})
"""An older form of what stands before it, and text that stands elsewhere now."""


def read(content: bytes, charset: str, text: BoundedText) -> None:
    """Add the document, then its notes and comments."""
    del charset  # XML says its own
    package = Package(content)
    for name in _PARTS:
        if name in package.names:
            if name in _LABELS:
                text.line(_LABELS[name])
            body = _WordText(text)
            package.parse(name, body.start, body.end, body.data)


class _WordText:
    """Follows one part's elements."""

    def __init__(self, text: BoundedText) -> None:
        self._text = text
        self._in_text = False
        self._hidden = False
        self._left_out = 0
        self._cells = 0
        self._empty = True
        self._prefix = ""

    def start(self, tag: str, attributes: Attributes) -> None:
        if tag in _LEFT_OUT:
            self._left_out += 1
        elif tag == "t":
            self._in_text = not self._hidden
        elif tag == "r":
            self._hidden = False
        elif tag == "vanish":
            self._hidden = attributes.get("val", "true") not in {"0", "false", "off"}
        elif tag == "tab" and not attributes:  # one with attributes is a stop of the ruler
            self._add("\t")
        elif tag in {"br", "cr"}:
            self._add("\n")
        elif tag == "tc":
            self._cells += 1
        elif tag == "numPr":
            self._prefix = "- "
        elif tag == "pStyle" and (found := _HEADING.fullmatch(attributes.get("val", ""))):
            self._prefix = "#" * int(found[1]) + " "

    def end(self, tag: str) -> None:
        if tag in _LEFT_OUT:
            self._left_out -= 1
        elif tag == "t":
            self._in_text = False
        elif tag == "p":
            self._prefix = ""
            if not self._empty:
                self._text.add(" " if self._cells else "\n")
            self._empty = True
        elif tag == "tc":
            self._cells -= 1
            self._text.add("| ")
        elif tag == "tr" and not self._cells:
            self._text.add("\n")

    def data(self, words: str) -> None:
        if self._in_text:
            self._add(words)

    def _add(self, words: str) -> None:
        if not self._left_out:
            self._text.add(self._prefix + words)
            self._prefix, self._empty = "", False
