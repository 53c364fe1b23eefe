"""The model's Markdown as blocks and pieces, of which each channel writes its own form. Pure.

Nothing is lost: a table that would lose cells is what its lines are, and of a text of which any letter would be lost, or that cannot be
read within the parser's bounds, there are no blocks. Markdown made to be slow takes a parser seconds.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from markdown_it.token import Token

from shared.model.text import clean
from supervisor_worker.channels.markdown import addresses
from supervisor_worker.channels.markdown.emphasis import literal_marks
from supervisor_worker.channels.markdown.fences import closed_fences, code_of
from supervisor_worker.channels.markdown.parser import tokens_of

MAX_EMPHASIS: Final = 8
_EMPTY_LINES: Final = re.compile(r"\A(?:[ \t]*\n)+")
_BLANK: Final = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
_NUMBER_SIGN: Final = re.compile(r"[a-z0-9]")
_WORD: Final = re.compile(r"\w+")
_BEFORE_TABLE: Final = re.compile(r"(?:[ \t]*(?:[-+*>]|\d{1,9}[.)])(?=[ \t]))*[ \t]*")
"""What may stand before a row: the marks of lists and quotes. Cells beyond the head's are dropped by the parser."""
ENTITY: Final = re.compile(r"&#?\w{1,32};")
_AROUND_ROWS: Final = ("thead_open", "thead_close", "tbody_open", "tbody_close")
_SAID_TWICE: Final = (addresses.BARE, "autolink")
"""Links whose words are their address."""
_BREAKS: Final = ("softbreak", "hardbreak")

InlineKind = Literal["text", "code", "break", "open", "close", "link", "unlink"]
BlockKind = Literal["paragraph", "line", "heading", "list", "item", "quote", "table", "row", "cell", "code", "rule"]


@dataclass(frozen=True, slots=True)
class Inline:
    """A piece of a line.

    `text` and `code` are words, `break` is a line end. `open` and `close` stand around what is emphasised (`text` is `em` or `strong`).
    `link` and `unlink` are a channel's, around a link's words: `link` has its address, and `unlink` what has to stand behind the words, in
    HTML (`text`), where the address is behind them, and in plain text (`plain`).
    """

    kind: InlineKind
    text: str = ""
    plain: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """A link or a picture as it was written. `bare`: the address stands there without any markup."""

    words: tuple[Inline, ...]
    address: str
    title: str = ""
    picture: bool = False
    bare: bool = False

    @property
    def said(self) -> str:
        """Its words, without what emphasises them."""
        return "".join(piece.text for piece in self.words if piece.kind in ("text", "code"))


@dataclass(frozen=True, slots=True)
class PieceWriter:
    """What a channel makes of a link, and of words outside of code."""

    link: Callable[[Link], Iterator[Inline]]
    words: Callable[[str], str] = str


@dataclass(frozen=True, slots=True)
class MarkdownBlock:
    """A block: lists, items, quotes, tables and rows have blocks `inside`, the others `words`, code, headings and rules included.

    `line` is a paragraph of a list without empty lines. `number` is a heading's level, or an item's number; None: it has a bullet. `mark`
    is an item's as it was written. `apart`: the source has an empty line before it.
    """

    kind: BlockKind
    inside: tuple[MarkdownBlock, ...] = ()
    words: tuple[Inline, ...] = ()
    number: int | None = None
    mark: str = ""
    apart: bool = False


def cleaned(text: str) -> str:
    """A text without what nobody sees, and without empty lines at its ends; the spaces before its first word are code's, or a poem's."""
    return _EMPTY_LINES.sub("", clean(text)).rstrip()


def parse(text: str, write: PieceWriter) -> tuple[MarkdownBlock, ...] | None:
    """The blocks of a cleaned text; None for one that has to stay as it is."""
    source = closed_fences(text)
    tokens = tokens_of(source)
    if tokens is None:
        return None
    reader = _MarkdownReader(tokens, source.split("\n"), write)
    blocks = reader.blocks()
    return None if _loses_letters(source, tokens, reader.kept) else blocks


def paragraphs(text: str, write: PieceWriter) -> tuple[MarkdownBlock, ...]:
    """The text as it is, in paragraphs and lines; its addresses are links."""
    found = []
    for paragraph in _BLANK.split(text.strip("\n")):
        words: list[Inline] = []
        for line in paragraph.split("\n"):
            words += [Inline("break"), *_with_links(line, write)] if words else _with_links(line, write)
        found.append(MarkdownBlock("paragraph", words=tuple(words), apart=True))
    return tuple(found)


def _with_links(line: str, write: PieceWriter) -> list[Inline]:
    words: list[Inline] = []
    at = 0
    for start, address in addresses.bare(line):
        words += [Inline("text", line[at:start]), *write.link(Link((Inline("text", address),), address, bare=True))]
        at = start + len(address)
    return [*words, Inline("text", line[at:])]


def _letters(text: str) -> Counter[str]:
    return Counter(filter(str.isalnum, text))


def _loses_letters(source: str, tokens: Sequence[Token], kept: Sequence[str]) -> bool:
    """Whether tokens and what is kept of the source have not every letter of it. What stands for one (`&amp;`) may have become it."""
    found = [*ENTITY.findall(source), *kept]
    for token in tokens:
        found += [token.content, token.info] if token.type in ("fence", "code_block") else [token.info, token.markup]
        for child in token.children or ():
            found += [child.content, *(map(str, child.attrs.values()) if child.markup not in _SAID_TWICE else ())]
    return bool(_letters(source) - _letters("".join(found)))


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


class _MarkdownReader:
    """The tokens of a text, read once from the first to the last. `lines` are the text's; `kept` is what stays as it stands there."""

    def __init__(self, tokens: Sequence[Token], lines: Sequence[str], write: PieceWriter) -> None:
        self._tokens = tokens
        self._lines = lines
        self._write = write
        self._at = 0
        self.kept: list[str] = []

    def blocks(self) -> tuple[MarkdownBlock, ...]:
        """The blocks up to the end of what they are in, and its end."""
        found: list[MarkdownBlock] = []
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            self._at += 1
            if token.type in _AROUND_ROWS:
                continue
            if token.nesting < 0:
                break
            apart = bool(token.map and token.map[0]) and not self._lines[token.map[0] - 1].strip(" \t>")  # type: ignore[index]
            found += [replace(block, apart=apart or block.apart) for block in self._block(token)]
        return tuple(found)

    def _block(self, token: Token) -> Sequence[MarkdownBlock]:
        """The block that begins with a token; a table that would lose words is what its lines are."""
        if token.type in ("fence", "code_block"):
            return [MarkdownBlock("code", words=(Inline("code", code_of(token.info, token.content)[0]),))]
        if token.type == "hr":
            return [MarkdownBlock("rule", words=(Inline("text", "\n".join(self._source(token)).strip()),))]
        kind = _KINDS[token.type]
        if kind in ("paragraph", "heading", "cell"):
            return [self._worded(token, kind)]
        begin = self._at
        inside = self.blocks()
        if kind == "table":
            source = [_BEFORE_TABLE.sub("", line, count=1) for line in self._source(token)]
            shown = Counter(
                word for each in self._tokens[begin : self._at] if each.type == "inline" for word in _WORD.findall(each.content)
            )
            if Counter(_WORD.findall("\n".join(source))) - shown:
                self.kept += source
                return paragraphs("\n".join(source), self._write)
        if kind == "item":
            return [MarkdownBlock(kind, inside, number=int(token.info) if token.info else None, mark=f"{token.info}{token.markup}")]
        return [MarkdownBlock(kind, _numbered(inside) if kind == "list" else inside)]

    def _source(self, token: Token) -> Sequence[str]:
        begin, end = token.map or (0, 0)
        return self._lines[begin:end]

    def _worded(self, token: Token, kind: BlockKind) -> MarkdownBlock:
        """A block of words. A heading whose hash stands for "number", or begins a comment, is words with a hash."""
        words = tuple(self._pieces(self._tokens[self._at].children or ()))
        self._at += 2  # the inline token, and the end
        if kind != "heading":
            return MarkdownBlock("line" if token.hidden else kind, words=words)
        if token.markup == "#" and words and words[0].kind == "text" and _NUMBER_SIGN.match(words[0].text):
            return MarkdownBlock("paragraph", words=(Inline("text", "# "), *words))
        return MarkdownBlock(kind, words=words, number=int(token.tag[1]))

    def _pieces(self, children: Sequence[Token], *, in_link: bool = False) -> Iterator[Inline]:
        """The pieces of a line. An address in angles within the words of a link is some of these words."""
        literal = literal_marks(children)
        at = 0
        while at < len(children):
            token = children[at]
            at += 1
            if token.type == "link_open" and not in_link:
                end = _end_of_link(children, at)
                words = tuple(self._pieces(children[at:end], in_link=True))
                yield from self._linked(_link(token, words, "href"))
                at = end + 1
            elif token.type == "image":
                yield from self._linked(replace(_link(token, self._described(token), "src"), picture=True))
            elif at - 1 in literal:
                yield Inline("text", token.markup)
            else:
                yield from _piece(token, self._write.words)

    def _described(self, picture: Token) -> tuple[Inline, ...]:
        """The words in the place of a picture; where a link is among them, as they were written."""
        inside = picture.children or []
        if any(child.type in ("link_open", "image") for child in inside):
            return (Inline("text", picture.content),)
        return tuple(self._pieces(inside))

    def _linked(self, link: Link) -> Iterator[Inline]:
        """As the channel writes it; what leads nowhere, which may be code, as it stands there."""
        if link.address:
            yield from self._write.link(link)
        else:
            yield from (Inline("text", "![" if link.picture else "["), *link.words, Inline("text", "]()"))


def _end_of_link(children: Sequence[Token], at: int) -> int:
    """The place of the end of the link that begins before `at`."""
    depth = 1
    for place in range(at, len(children)):
        if children[place].type in ("link_open", "link_close"):
            depth += children[place].nesting
        if not depth:
            return place
    return len(children)


def _link(token: Token, words: tuple[Inline, ...], attribute: str) -> Link:
    said = token.attrs
    return Link(words, str(said.get(attribute, "")), str(said.get("title", "")), bare=token.markup == addresses.BARE)


def _piece(token: Token, words: Callable[[str], str]) -> Iterator[Inline]:
    if token.type in _BREAKS:
        yield Inline("break")
    elif token.type == "code_inline":
        first, *lines = token.content.split("\n")
        yield Inline("code", first)
        for line in lines:
            yield from (Inline("break"), Inline("code", line))
    elif token.tag in ("em", "strong"):
        if token.level < MAX_EMPHASIS:
            yield Inline("open" if token.nesting > 0 else "close", token.tag)
    elif token.content:
        yield Inline("text", words(token.content))


def _numbered(items: tuple[MarkdownBlock, ...]) -> tuple[MarkdownBlock, ...]:
    """The items of a list, counted on where each has the same number: so it is written by who leaves the counting to others."""
    numbers = [item.number for item in items]
    first = numbers[0] if numbers else None
    if first is None or len(items) == 1 or set(numbers) != {first}:
        return items
    return tuple(replace(item, number=first + place) for place, item in enumerate(items))
