"""A mail's plain text: the same words as its HTML, in lines that can be read as they are. Pure."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Sequence
from typing import Final

from supervisor_worker.channels.markdown.blocks import Inline, MarkdownBlock

WIDTH: Final = 76
"""Columns of a line of words; an address and a code stay whole."""
LEAST_WIDTH: Final = 30
MAX_LINE: Final = 900
"""Bytes of any line, code and addresses as well: a mail's line may have 998."""
RULE: Final = "* * *"
_KEPT: Final = "\x00"
"""What stands for a space at which no line is broken; no text of ours has it."""


def text(blocks: Sequence[MarkdownBlock]) -> str:
    """The whole text, without an empty line at its ends."""
    lines = [part for line in _lines(blocks, WIDTH) for part in _bounded(line)]
    return "\n".join(lines).strip("\n")


def _lines(blocks: Sequence[MarkdownBlock], width: int) -> list[str]:
    """The lines of blocks, with an empty one between two, except in a list that had none."""
    lines: list[str] = []
    for place, block in enumerate(blocks):
        own = _block(block, width)
        if lines and own and not (blocks[place - 1].kind == "line" and block.kind in ("line", "list")):
            lines.append("")
        lines += own
    return lines


def _block(block: MarkdownBlock, width: int) -> list[str]:
    match block.kind:
        case "list":
            return _list(block, width)
        case "quote":
            return [f"> {line}" if line else ">" for line in _lines(block.inside, _narrower(width, 2))]
        case "table":
            return _table(block, width)
        case "code":
            return block.words[0].text.split("\n")
        case "rule":
            return [RULE]
        case _:
            return _wrapped(_words(block.words), width)


def _list(block: MarkdownBlock, width: int) -> list[str]:
    lines: list[str] = []
    loose = any(each.kind == "paragraph" for item in block.inside for each in item.inside)
    for item in block.inside:
        mark = _mark(item)
        own = _lines(item.inside, _narrower(width, len(mark))) or [""]
        if lines and loose:
            lines.append("")
        lines += [(mark if not place else " " * len(mark) if line else "") + line for place, line in enumerate(own)]
    return lines


def _mark(item: MarkdownBlock) -> str:
    if item.number is None:
        return "- " if item.mark == "*" else f"{item.mark} "
    return f"{item.number}{item.mark[-1:] or '.'} "


def _narrower(width: int, columns: int) -> int:
    return max(LEAST_WIDTH, width - columns)


def _table(block: MarkdownBlock, width: int) -> list[str]:
    """A row a line: in columns if they fit, else with bars alone."""
    rows = [[_words(cell.words).replace("\n", " ").replace(_KEPT, " ") for cell in row.inside] for row in block.inside]
    sizes = [max(_columns(row[place]) for row in rows) for place in range(len(rows[0]))]
    if sum(sizes) + 3 * (len(sizes) - 1) > width:
        return [" | ".join(row) for row in rows]
    return [" | ".join(cell + " " * (size - _columns(cell)) for cell, size in zip(row, sizes, strict=True)).rstrip() for row in rows]


def _columns(words: str) -> int:
    """How many columns words take, two for a wide letter."""
    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in words)


def _words(words: Sequence[Inline]) -> str:
    return "".join(_piece(piece) for piece in words)


def _piece(piece: Inline) -> str:
    match piece.kind:
        case "break":
            return "\n"
        case "code":
            return piece.text.replace(" ", _KEPT)
        case "unlink":
            return piece.plain
        case "text":
            return piece.text
        case _:
            return ""


def _wrapped(words: str, width: int) -> list[str]:
    lines: list[str] = []
    for line in words.split("\n"):
        short = len(line) <= width  # most are, and `wrap` takes long to find that out
        lines += [line.rstrip()] if short else textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False) or [""]
    return [line.replace(_KEPT, " ") for line in lines] if words.strip() else []


def _bounded(line: str) -> list[str]:
    """A line of at most MAX_LINE bytes each: after a space if there is one, else between two letters."""
    parts = []
    while len(line.encode()) > MAX_LINE:
        whole = line.encode()[:MAX_LINE].decode("utf-8", "ignore")
        before, space, _ = whole.rpartition(" ")
        part = before + space if before.strip() else whole
        parts.append(part)
        line = line[len(part) :]
    return [*parts, line]
