"""Extracts from HTML the text that a person sees, in time and memory linear in its input.

Layout engines are not used: a mail's author chooses the HTML. inscriptis 2.7 makes 100 MB of text from a 65 kB table and 1 MB from ten
`margin-left` styles, and libxml2 drops what is nested deeper than 256 elements (all tried). A mail needs words and paragraphs; quoted
blocks are marked with ">" so that the quote can be told from the reply (`quoting`); an indented paragraph is none. What the HTML hides is
left out and counted: `html_elements` says which elements are open at each place, and `css_visibility` how text looks there. Links keep
their target, and pictures their description (`html_links`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from webhook_api.email import html_links
from webhook_api.email.css_sheets import Sheets
from webhook_api.email.html_elements import Elements, MarkupTooComplex
from webhook_api.email.html_lists import Lists
from webhook_api.email.html_tokens import EndTag, StartTag, TextToken, tokens

MAX_INPUT: Final = 1_000_000
MAX_QUOTES: Final = 5
MAX_ADDED: Final = 20_000
"""Characters of targets and descriptions in one text."""
CUT: Final = "[The message was cut here: it has more markup than is read.]"

_SPACES: Final = re.compile(r"[ \t\n\r\f]+")
_PARAGRAPHS: Final = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "pre", "hr", "blockquote"})
_LINES: Final = frozenset(
    {"div", "tr", "li", "dt", "dd", "section", "article", "header", "footer", "address", "form", "center", "body", "html", "main", "nav",
     "aside", "figure", "figcaption", "fieldset", "legend", "menu", "dir", "details", "summary", "dialog", "hgroup", "search", "caption",
     "option", "optgroup", "marquee", "listing", "xmp", "plaintext"}
)  # fmt: skip
_STRUCK: Final = frozenset({"s", "strike", "del"})
_STRIKE: Final = "~~"
_AS_BLOCK: Final = re.compile(r"display\s*:\s*(?:block|flex|grid|table|list-item|table-row|flow-root)\s*(?:!|;|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Shown:
    """The visible text, and the hidden pieces; `swallowed` counts the characters of a tag that never ends.

    `targets` are the addresses of links that stand in the text.
    """

    text: str
    unseen: tuple[str, ...] = ()
    swallowed: int = 0
    targets: tuple[str, ...] = ()

    @property
    def hidden(self) -> int:
        """How many characters were left out, without spaces."""
        return self.swallowed + sum(len(word) for piece in self.unseen for word in piece.split())


def to_text(source: str) -> str:
    """The visible text of the first MAX_INPUT characters of an HTML text."""
    return read(source).text


def read(source: str) -> Shown:
    """The visible text, and what was left out."""
    cut = tokens(source[:MAX_INPUT])
    writer = _Writer()
    unseen: list[str] = []
    whole = cut.whole
    try:
        elements = Elements(Sheets.read(cut.styles))
        for token in cut.found:
            if isinstance(token, TextToken):
                _words(token.text, elements, writer, unseen)
            else:
                _tag(token, elements, writer, unseen)
    except MarkupTooComplex:
        whole = False
    text = writer.text() if whole else f"{writer.text()}\n\n{CUT}"
    return Shown(text.strip("\n"), tuple(unseen), cut.swallowed, tuple(writer.targets))


def _words(text: str, elements: Elements, writer: _Writer, unseen: list[str]) -> None:
    look = elements.words() if text.strip() else elements.look
    if not look.unseen:
        writer.words(text, elements.link, breaks=look.breaks)
    elif text.strip():
        unseen.append(text)


def _picture(token: StartTag, elements: Elements, writer: _Writer, unseen: list[str]) -> None:
    """Write what a picture is said to show; what nobody sees of it is hidden."""
    alt = token.attributes.get("alt", "")
    if not alt.strip():
        return
    look, said = elements.picture(token)
    if look.unseen or html_links.is_tiny(token.attributes, said):
        unseen.append(alt)
        return
    words, left_out = html_links.description(alt)
    if writer.added + len(words) > MAX_ADDED:
        words, left_out = "", alt
    writer.added += len(words)
    writer.words(words, elements.link)
    if left_out:
        unseen.append(left_out)


def _tag(token: StartTag | EndTag, elements: Elements, writer: _Writer, unseen: list[str]) -> None:
    """Apply a visible tag to the lines, then update how many quotes are open and whether text is verbatim."""
    if isinstance(token, StartTag):
        elements.start(token)
        if token.name == "img":
            _picture(token, elements, writer, unseen)
        if not elements.look.unseen:
            writer.tag(token.name, token.attributes)
    else:
        if not elements.look.unseen:
            writer.tag(token.name, None)
        elements.end(token.name)
    if writer.link is not None and elements.link is not writer.link:
        writer.end_link()
    quotes, verbatim = min(MAX_QUOTES, elements.quotes), elements.count("pre") > 0
    if (quotes, verbatim) != (writer.quotes, writer.verbatim):
        writer.within(quotes, verbatim=verbatim)


@dataclass(slots=True)
class _Writer:
    """Collects lines, with the current depth of quoted blocks.

    `link` are the attributes of the link that words are written of, whose target follows at its end or at that of its first block;
    `finished` of the last one whose target is written. `added` counts the characters of targets and descriptions.
    """

    lines: list[str] = field(default_factory=list)
    current: list[str] = field(default_factory=list)
    quotes: int = 0
    verbatim: bool = False
    link: dict[str, str] | None = None
    linked: list[str] = field(default_factory=list)
    finished: dict[str, str] | None = None
    targets: list[str] = field(default_factory=list)
    added: int = 0
    lists: Lists = field(default_factory=Lists)

    def words(self, text: str, link: dict[str, str] | None, *, breaks: bool = False) -> None:
        """Write words; `breaks`: the style says that line ends in them are shown."""
        if breaks and not self.verbatim and "\n" in text:
            self._lines_of(text, link)
            return
        text = text.replace("\xa0", " ")
        if text.strip() and link is not self.link:
            self.end_link()
            self.link = link if link is not self.finished else None
        if self.link is not None:
            self.linked.append(text)
        if self.verbatim:
            first, *rest = text.split("\n")
            self.current.append(first)
            for line in rest:
                self.end_line()
                self.current.append(line)
        else:
            self.current.append(_SPACES.sub(" ", text))

    def _lines_of(self, text: str, link: dict[str, str] | None) -> None:
        first, *rest = text.replace("\r", "").split("\n")
        self.words(first, link)
        if not text.strip() and not "".join(self.current).strip():
            return  # between two tags
        for line in rest:
            self.end_line(always=True)
            self.words(line, link)

    def end_link(self) -> None:
        """Write the target of the link that ends here behind its words."""
        link, words = self.link, "".join(self.linked)
        self.link, self.linked = None, []
        if link is None or not words.strip():
            return
        self.finished = link
        target = html_links.target(link.get("href", ""), words)
        if not target or self.added + len(target) > MAX_ADDED:
            return
        self.added += len(target)
        self.targets.append(target)
        if "".join(self.current).strip() or not self.lines:
            self.current[:] = ["".join(self.current).rstrip(), f" ({target})"]
        else:
            self.lines[-1] += f" ({target})"

    def tag(self, name: str, attributes: dict[str, str] | None) -> None:
        """What a tag does to the lines; an end tag has no attributes, None."""
        closing = attributes is None
        if name in _PARAGRAPHS or name in _LINES or name in ("td", "th"):
            self.end_link()
        if name == "br":
            self.end_line(always=True)
        elif name in ("td", "th"):
            self.current.append(" " if closing else "")
        elif name in _PARAGRAPHS:
            self.end_paragraph()
        elif name in _LINES or (attributes and _AS_BLOCK.search(attributes.get("style", ""))):
            self.end_line()
        if name in _STRUCK:
            self._strike(closing=closing)
        elif name in ("ol", "ul"):
            self.lists.end() if attributes is None else self.lists.start(name, attributes)
        elif name == "li" and attributes is not None:
            self.current.append(self.lists.mark(attributes))

    def _strike(self, *, closing: bool) -> None:
        """Mark words that are struck through, since their author takes them back; of nothing between no mark is left."""
        if closing and self.current and self.current[-1] == _STRIKE:
            self.current.pop()
        else:
            self.current.append(_STRIKE)

    def within(self, quotes: int, *, verbatim: bool) -> None:
        """Enter or leave quoted blocks or verbatim text; the current line ends under the old state."""
        self.end_link()
        self.end_line()
        self.quotes, self.verbatim = quotes, verbatim

    def end_line(self, *, always: bool = False) -> None:
        """End the current line; an empty one is kept only with `always`."""
        line = "".join(self.current)
        line = line.rstrip() if self.verbatim else line.strip()
        self.current.clear()
        if line == _STRIKE:  # the words that it belongs to are over, or hidden
            line = ""
        if line or always or self.verbatim:
            self.lines.append(("> " * self.quotes + line).rstrip())

    def end_paragraph(self) -> None:
        self.end_line()
        if self.lines and self.lines[-1].strip("> "):
            self.lines.append(("> " * self.quotes).rstrip())

    def text(self) -> str:
        self.end_link()
        self.end_line()
        return re.sub(r"\n{3,}", "\n\n", "\n".join(self.lines)).strip("\n")
