"""Web pages as text: lines where a browser shows them, links with their target, pictures by their words. Nothing is fetched.

What an element's own attributes hide is left out.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

from supervisor_worker.media.readers.extract import BoundedText
from supervisor_worker.media.readers.text_files import decoded

MAX_HTML: Final = 1_000_000
"""Bytes that are looked at."""
_UNSEEN: Final = frozenset({"script", "style", "title"})
_BLOCKS: Final = frozenset(
    {"p", "div", "br", "tr", "table", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "hr", "section", "article"}
)
_OPENED: Final = re.compile("<[a-zA-Z/!?]")
_HIDDEN: Final = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d]))", re.IGNORECASE)
_SHOWN: Final = frozenset("area base body br col embed hr html img input link meta source track wbr".split())  # noqa: SIM905 - read at a glance
"""Elements that have no end, and those that a script shows when the page is there."""
_ENDED_BY_THE_NEXT: Final = frozenset({"p", "li", "td", "th", "tr"})
_MAX_LINK: Final = 500


def read(content: bytes, charset: str, text: BoundedText) -> None:
    """Add what a reader of the page sees."""
    text.cut = len(content) > MAX_HTML
    add_html(decoded(content[:MAX_HTML], charset), text)


def add_html(html: str, text: BoundedText) -> None:
    """Add the text of HTML."""
    page = _Page(text)
    page.feed(_closed(html))
    page.close()


def _closed(html: str) -> str:
    """The page without a comment or a tag that it does not close, which no browser shows: the parser looks for each one's end anew."""
    comment = html.find("<!--", html.rfind("-->") + 1)
    html = html if comment < 0 else html[:comment]
    tag = _OPENED.search(html, html.rfind(">") + 1)
    return html if tag is None else html[: tag.start()]


class _Page(HTMLParser):
    def __init__(self, text: BoundedText) -> None:
        super().__init__()
        self._text = text
        self._unseen = ""
        self._nested = 0
        self._links: list[str] = []
        self._at_start = True

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._unseen and not (tag == self._unseen in _ENDED_BY_THE_NEXT):
            self._nested += tag == self._unseen
            return
        said, self._unseen = dict(attrs), ""
        if tag in _UNSEEN or (tag not in _SHOWN and ("hidden" in said or _HIDDEN.search(said.get("style") or ""))):
            self._unseen, self._nested = tag, 0
        elif tag in _BLOCKS:
            self._new_line()
        elif tag == "li":
            self._new_line()
            self._text.add("- ")
        elif tag == "a":
            self._links = [*self._links[-8:], (said.get("href") or "")[:_MAX_LINK]]
        elif tag == "img" and said.get("alt"):
            self.handle_data(f"[{said['alt']}]")

    def handle_endtag(self, tag: str) -> None:
        if self._unseen:
            self._nested -= tag == self._unseen
            self._unseen = "" if self._nested < 0 else self._unseen
        elif tag in _BLOCKS:
            self._new_line()
        elif tag in {"td", "th"}:
            self._text.add(" | ")
        elif tag == "a" and self._links:
            target = self._links.pop()
            if target.startswith(("http://", "https://", "mailto:", "tel:")):
                self._text.add(f" ({target})")

    def handle_data(self, data: str) -> None:
        words = " ".join(data.split())
        if not self._unseen and words:
            self._text.add((" " if data[:1].isspace() and not self._at_start else "") + words + (" " if data[-1:].isspace() else ""))
            self._at_start = False

    def _new_line(self) -> None:
        if not self._at_start:
            self._text.add("\n")
        self._at_start = True
