"""The model's Markdown as blocks and pieces, of which both parts of a mail are made. Pure.

CommonMark with tables, read by markdown-it, and four things otherwise:

- HTML is text, as it stands there.
- Reference definitions and underlined headings are text: a definition that nothing names would vanish, and a line above a row of hyphens
  is rarely meant as a heading.
- A line end is a line end: addresses and closings are written so.
- A bare address is a link, and no star or underscore in it is markup.

Nothing is lost: what cannot be read as Markdown within bounds (`MAX_MARKDOWN`, `MAX_COST`, `MAX_DEPTH`) is plain paragraphs. Markdown made
to be slow takes a parser seconds, and the worker's loop would stand still.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token

from shared.model.text import clean
from supervisor_worker.channels.sendgrid import links

MAX_MARKDOWN: Final = 20_000
"""Characters that are read as Markdown."""
MAX_COST: Final = 3_000
"""What the characters that are slow to read may cost together; a text that costs more is no letter to anybody."""
MAX_DEPTH: Final = 16
"""Levels of lists and quotes within each other, two for each list."""
MAX_NESTING: Final = 3 * MAX_DEPTH  # beyond it the parser drops what it reads
MAX_EMPHASIS: Final = 8
# A bracket is searched for its end once each, a line tried as each kind of block.
_COSTS: Final = {"[": 8, "\n": 2, "*": 1, "_": 1, "|": 1}
_BLANK: Final = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")

InlineKind = Literal["text", "code", "break", "open", "close", "link", "unlink"]
BlockKind = Literal["paragraph", "line", "heading", "list", "item", "quote", "table", "row", "cell", "code", "rule"]


@dataclass(frozen=True, slots=True)
class Inline:
    """A piece of a line.

    `text` and `code` are words, `break` is a line end. `open` and `close` stand around what is emphasised (`text` is `em` or `strong`),
    `link` and `unlink` around a link's words: `link` has its address, and `unlink` what has to stand behind the words, in HTML (`text`),
    where the address is behind them, and in plain text (`plain`).
    """

    kind: InlineKind
    text: str = ""
    plain: str = ""


@dataclass(frozen=True, slots=True)
class MarkdownBlock:
    """A block: lists, items, quotes, tables and rows have blocks `inside`, the others `words`, code and headings included.

    `line` is a paragraph of a list without empty lines. `number` is a heading's level, or an item's number; None: it has a bullet.
    """

    kind: BlockKind
    inside: tuple[MarkdownBlock, ...] = ()
    words: tuple[Inline, ...] = ()
    number: int | None = None


def parse(text: str) -> tuple[MarkdownBlock, ...]:
    """The blocks of a cleaned text."""
    if len(text) <= MAX_MARKDOWN:
        return _markdown(text)
    end = text.rfind("\n\n", 0, MAX_MARKDOWN)
    if end < 0:
        return paragraphs(text)
    return _markdown(text[:end]) + paragraphs(text[end:])


def paragraphs(text: str) -> tuple[MarkdownBlock, ...]:
    """The text as it is, in paragraphs and lines; its addresses are links."""
    found = []
    for paragraph in _BLANK.split(text.strip("\n")):
        words: list[Inline] = []
        for line in paragraph.split("\n"):
            words += [Inline("break"), *_with_links(line)] if words else _with_links(line)
        found.append(MarkdownBlock("paragraph", words=tuple(words)))
    return tuple(found)


def _with_links(line: str) -> list[Inline]:
    words: list[Inline] = []
    at = 0
    for start, address in links.bare(line):
        words += [Inline("text", line[at:start]), *_linked((Inline("text", address),), _PARSER.normalizeLink(address))]
        at = start + len(address)
    return [*words, Inline("text", line[at:])]


def _markdown(text: str) -> tuple[MarkdownBlock, ...]:
    if sum(cost * text.count(char) for char, cost in _COSTS.items()) > MAX_COST:
        return paragraphs(text)
    tokens = _PARSER.parse(text)
    if any(token.level > MAX_DEPTH for token in tokens):
        return paragraphs(text)
    return _MarkdownReader(tokens, text.split("\n")).blocks()


_KINDS: Final[dict[str, BlockKind]] = {
    "paragraph_open": "paragraph",
    "heading_open": "heading",
    "bullet_list_open": "list",
    "ordered_list_open": "list",
    "list_item_open": "item",
    "blockquote_open": "quote",
    "table_open": "table",
    "tr_open": "row",
    "th_open": "cell",
    "td_open": "cell",
}
_WORD: Final = re.compile(r"\w+")
_BEFORE_TABLE: Final = re.compile(r"(?:[ \t]*(?:[-+*>]|\d{1,9}[.)])(?=[ \t]))*[ \t]*")
"""What may stand before a row: the marks of lists and quotes. Cells beyond the head's are dropped by the parser."""
_AROUND_ROWS: Final = ("thead_open", "thead_close", "tbody_open", "tbody_close")


class _MarkdownReader:
    """The tokens of a text, read once from the first to the last. `lines` are the text's."""

    def __init__(self, tokens: Sequence[Token], lines: Sequence[str]) -> None:
        self._tokens = tokens
        self._lines = lines
        self._at = 0

    def blocks(self, number: int | None = None) -> tuple[MarkdownBlock, ...]:
        """The blocks up to the end of what they are in, and its end. `number` is that of the first item."""
        found: list[MarkdownBlock] = []
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            self._at += 1
            if token.type in _AROUND_ROWS:
                continue
            if token.nesting < 0:
                break
            found += self._block(token, None if number is None else number + len(found))
        return tuple(found)

    def _block(self, token: Token, number: int | None) -> Sequence[MarkdownBlock]:
        """The block that begins with a token; a table that would lose words is what its lines are."""
        if token.type in ("fence", "code_block"):
            return [MarkdownBlock("code", words=(Inline("code", token.content.removesuffix("\n")),))]
        if token.type == "hr":
            return [MarkdownBlock("rule")]
        kind = _KINDS[token.type]
        if kind in ("paragraph", "heading", "cell"):
            words = tuple(_pieces(self._tokens[self._at].children or ()))
            self._at += 2  # the inline token, and the end
            level = int(token.tag[1]) if kind == "heading" else None
            return [MarkdownBlock("line" if token.hidden else kind, words=words, number=level)]
        begin = self._at
        inside = self.blocks(int(token.attrs.get("start", 1)) if token.type == "ordered_list_open" else None)
        if kind == "table" and token.map:
            source = [_BEFORE_TABLE.sub("", line, count=1) for line in self._lines[slice(*token.map)]]
            shown = {word for each in self._tokens[begin : self._at] if each.type == "inline" for word in _WORD.findall(each.content)}
            if not shown.issuperset(_WORD.findall("\n".join(source))):
                return paragraphs("\n".join(source))
        return [MarkdownBlock(kind, inside, number=number if kind == "item" else None)]


def _pieces(children: Sequence[Token]) -> Iterator[Inline]:
    at = 0
    while at < len(children):
        token = children[at]
        at += 1
        if token.type == "link_open":
            end = next(place for place in range(at, len(children)) if children[place].type == "link_close")
            yield from _linked(tuple(_pieces(children[at:end])), str(token.attrs.get("href", "")), str(token.attrs.get("title", "")))
            at = end + 1
        else:
            yield from _piece(token)


def _piece(token: Token) -> Iterator[Inline]:
    if token.type in ("softbreak", "hardbreak"):
        yield Inline("break")
    elif token.type == "code_inline":
        yield Inline("code", token.content)
    elif token.type == "image":
        yield from _picture(token)
    elif token.tag in ("em", "strong"):
        if token.level < MAX_EMPHASIS:
            yield Inline("open" if token.nesting > 0 else "close", token.tag)
    elif token.content:
        yield Inline("text", clean(token.content))  # what an entity stands for may be a character that nobody sees


def _picture(token: Token) -> Iterator[Inline]:
    """Its alternative text and its address, as text: a picture that is fetched tells its host that and when a mail was read."""
    said = "".join(piece.text for piece in _pieces(token.children or ()) if piece.kind in ("text", "code"))
    address, title = str(token.attrs.get("src", "")), clean(str(token.attrs.get("title", "")))
    described = " ".join(each for each in (said, title) if each)
    yield Inline("text", f"{described} ({address})" if described and address else described or address)


def _linked(words: tuple[Inline, ...], address: str, title: str = "") -> Iterator[Inline]:
    """A link whose address may leave us; else its words and the address as text."""
    said = "".join(piece.text for piece in words if piece.kind in ("text", "code")).strip()
    told = [Inline("text", f" {clean(title)}")] if title else []
    target, address = links.target(address), clean(address)
    if target is None:
        behind = f" ({address})" if address and address != said else ""
        yield from (*words, Inline("text", behind), *told)
        return
    host = links.host_to_show(said, target)
    shown = f" ({host})" if host else ""
    known = links.says(said, target.address) or links.says(_PARSER.normalizeLink(said), target.address)
    if said:
        yield from (Inline("link", target.address), *words, Inline("unlink", shown, shown if known else f" ({target.address})"), *told)
    else:
        yield from (Inline("link", target.address), Inline("text", target.address), Inline("unlink", shown, shown), *told)


_PARSER: Final = (
    MarkdownIt("commonmark", {"html": False, "maxNesting": MAX_NESTING})
    .enable("table")
    .disable(["html_block", "html_inline", "lheading", "reference"])
)
_PARSER.validateLink = lambda url: True  # type: ignore[method-assign] # noqa: ARG005 - `links.target` decides, and then no word is lost
_PARSER.inline.ruler.before("escape", "bare_link", links.bare_rule)
