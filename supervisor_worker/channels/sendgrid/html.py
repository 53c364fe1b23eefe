"""A mail's HTML: a few tags, no attribute but a link's address, and nothing that a mail program would fetch. Pure.

It is written here from the blocks, and what is written is cleaned again by nh3: either alone holds the promise.

There is no style, so that the reader's own program chooses letters, colours and dark mode. A paragraph that begins in a script written from
right to left stands in `bdi`, the one tag that finds the direction of its words without an attribute.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Final

import nh3

from supervisor_worker.channels.markdown.blocks import BlockKind, Inline, InlineKind, MarkdownBlock

TAGS: Final = frozenset(
    "a bdi blockquote br code em h2 h3 h4 hr li ol p pre strong table tbody td th thead tr ul wbr".split()  # noqa: SIM905 - read at a glance
)
SCHEMES: Final = frozenset({"https", "http", "mailto", "tel"})
MAX_LINE: Final = 500
"""Bytes of a line, beyond which it is folded; with what cannot be folded it stays under the 998 that a line of a mail may have."""
LONG_TAG: Final = 200
MAX_WORD: Final = 32
"""Letters without a space, behind which a narrow window may break."""
DEEPEST_HEADING: Final = 4
BEFORE: Final = "<!DOCTYPE html>\n<html><body>\n"
AFTER: Final = "\n</body></html>\n"

_CLEANER: Final = nh3.Cleaner(
    tags=set(TAGS), attributes={"a": {"href"}}, url_schemes=set(SCHEMES), url_relative="deny", link_rel=None, strip_comments=True
)
# Any other space stays where it is: only at this one, and in a tag, a line end of ours has no effect.
_LONG_WORD: Final = re.compile(rf"[^ \n]{{{MAX_WORD}}}(?=[^ \n])")
_CHUNK: Final = re.compile(r"<[^>]*>|&[a-z]+;|[^<&\s]{1,60}|[<&]|\s")
_TAG_NAME: Final = re.compile(r"</?[a-z0-9]+")
_RIGHT_TO_LEFT: Final = ("R", "AL")


def document(blocks: Sequence[MarkdownBlock]) -> str:
    """The whole HTML document; '' where there is nothing to show."""
    written = "\n".join(_block(block) for block in blocks)
    return BEFORE + folded(_CLEANER.clean(written).strip("\n")) + AFTER if blocks else ""


def _block(block: MarkdownBlock) -> str:
    return _WRITERS[block.kind](block)


def _heading(block: MarkdownBlock) -> str:
    """One level lower: the subject stands above it."""
    return _tagged(f"h{min((block.number or 1) + 1, DEEPEST_HEADING)}", _inline(block.words))


def _code(block: MarkdownBlock) -> str:
    return f"<pre><code>{html.escape(block.words[0].text, quote=False)}</code></pre>"


def _inside(block: MarkdownBlock) -> str:
    return "\n".join(_block(each) for each in block.inside)


def _list(block: MarkdownBlock) -> str:
    numbers = [item.number for item in block.inside]
    if None in numbers:
        return _tagged("ul", "\n".join(_tagged("li", _inside(item)) for item in block.inside))
    if numbers == list(range(1, len(numbers) + 1)):
        return _tagged("ol", "\n".join(_tagged("li", _inside(item)) for item in block.inside))
    return "\n".join(_numbered(item) for item in block.inside)


def _numbered(item: MarkdownBlock) -> str:
    """An item of a list that does not count from 1, whose numbers a list could keep only by an attribute."""
    first, *rest = item.inside or (MarkdownBlock("line"),)
    number = Inline("text", f"{item.number}. ")
    if first.kind in ("line", "paragraph"):
        begin = MarkdownBlock("paragraph", words=(number, *first.words))
    else:
        begin, rest = MarkdownBlock("paragraph", words=(number,)), list(item.inside)
    return "\n".join(_block(each) for each in (begin, *rest))


def _table(block: MarkdownBlock) -> str:
    head, *rows = block.inside
    lines = [_tagged("thead", _row(head, "th"))]
    if rows:
        lines.append(_tagged("tbody", "\n".join(_row(row, "td") for row in rows)))
    return _tagged("table", "\n".join(lines))


def _row(row: MarkdownBlock, tag: str) -> str:
    # Without a style columns would touch each other.
    return _tagged("tr", "".join(_tagged(tag, _inline(cell.words) + "\u00a0\u00a0") for cell in row.inside))


def _tagged(tag: str, inside: str) -> str:
    return f"<{tag}>{inside}</{tag}>"


def _inline(words: Sequence[Inline]) -> str:
    written = "".join(_piece(piece) for piece in words)
    return _tagged("bdi", written) if _from_right(words) else written


def _piece(piece: Inline) -> str:
    return _PIECES[piece.kind](piece.text)


def _words(text: str) -> str:
    parts = _LONG_WORD.sub("\\g<0>\n", text).split("\n")
    return "<wbr>".join(html.escape(part, quote=False) for part in parts)


_PIECES: Final[dict[InlineKind, Callable[[str], str]]] = {
    "text": _words,
    "code": lambda text: _tagged("code", _words(text)),
    "break": lambda _: "<br>\n",
    "open": lambda tag: f"<{tag}>",
    "close": lambda tag: f"</{tag}>",
    "link": lambda address: f'<a href="{html.escape(address)}">',
    "unlink": lambda behind: f"</a>{_words(behind)}",
}
_WRITERS: Final[dict[BlockKind, Callable[[MarkdownBlock], str]]] = {
    "paragraph": lambda block: _tagged("p", _inline(block.words)),
    "line": lambda block: _inline(block.words),
    "heading": _heading,
    "list": _list,
    "quote": lambda block: _tagged("blockquote", _inside(block)),
    "table": _table,
    "code": _code,
    "rule": lambda _: "<hr>",
}


def _from_right(words: Sequence[Inline]) -> bool:
    """Whether the first letter that has a direction is of a script written from right to left."""
    for piece in words:
        if piece.kind in ("text", "code"):
            for char in piece.text:
                direction = unicodedata.bidirectional(char)
                if direction == "L" or direction in _RIGHT_TO_LEFT:
                    return direction != "L"
    return False


def folded(text: str) -> str:
    """The same HTML with no line near 998 bytes: broken at spaces and within tags; in code, where a line end counts, within a `wbr`."""
    chunks: list[str] = []
    size, verbatim = 0, False
    for found in _CHUNK.finditer(text):
        chunk = found[0]
        if chunk.startswith(("<pre", "</pre")):
            verbatim = chunk.startswith("<pre")
        if size > MAX_LINE or (len(chunk) > LONG_TAG and chunk.startswith("<")):
            chunk = _broken(chunk, verbatim=verbatim)
        chunks.append(chunk)
        last = chunk.rpartition("\n")[2]
        size = len(last.encode()) + (0 if "\n" in chunk else size)
    return "".join(chunks)


def _broken(chunk: str, *, verbatim: bool) -> str:
    """The chunk with a line end at its beginning or in it, if it has a place for one."""
    if name := _TAG_NAME.match(chunk):
        begin, rest = chunk[: name.end()], chunk[name.end() : -1].lstrip()
        return f"{begin}\n{rest}\n>" if len(rest) > LONG_TAG else f"{begin}\n{rest}>"
    if verbatim and chunk != "\n":
        return f"<wbr\n>{chunk}"
    return "\n" if chunk == " " else chunk
