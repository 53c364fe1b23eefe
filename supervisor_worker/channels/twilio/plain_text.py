"""Markdown to the plain text of a text message: only marks go, and what they mark stays. Pure.

Code keeps every letter. Links become `text: https://...`, with the address standing free, so that a phone opens it. What Markdown is, and
that no letter of it is lost, is the matter of `supervisor_worker.channels.markdown`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from supervisor_worker.channels.markdown.blocks import Inline, Link, MarkdownBlock, PieceWriter, cleaned, parse

VERBATIM_START: Final = "\x02"
VERBATIM_END: Final = "\x03"
"""Around code and addresses, of which no character is replaced. `clean` leaves no control character in a text: nobody can write one."""
VERBATIM: Final = re.compile(f"{VERBATIM_START}([^{VERBATIM_END}]*){VERBATIM_END}")
_FREE_START, _FREE_END = "\x05", "\x04"
_SIGNS: Final = re.compile("[\x02\x03]")
_MARKS: Final = frozenset("*_#`[<\\")
_FIRST_MARKS: Final = ("-", "+", "=", ">", "~", " ", "\t")
_PLAIN_LINK: Final = re.compile(r"^(?:https?://|mailto:|tel:|sms:)|/$", re.IGNORECASE)
_NUMBER: Final = re.compile(r"(?:tel|sms):([^?]*)", re.IGNORECASE)
_NO_DIGIT: Final = re.compile(r"[^\d+]")
_UNSAFE: Final = re.compile(r"(?:javascript|vbscript|file|data):", re.IGNORECASE)
_ADDRESS_AT_END: Final = re.compile(r"\w\.\w[^\s]*$")
_SPACE: Final = re.compile(r"\s")
_CELLS: Final = " | "
_LINE_END: Final = "\n"


def plain(markdown: str) -> str:
    """The text as a phone shows it."""
    return _SIGNS.sub("", verbatim_marked(markdown))


def verbatim_marked(markdown: str) -> str:
    """The same, with what must stay letter for letter between VERBATIM_START and VERBATIM_END."""
    text = cleaned(markdown)
    if "\n" not in text and _MARKS.isdisjoint(text) and not text.startswith(_FIRST_MARKS):
        return text  # most answers by text: the parser takes a hundred times as long to find nothing
    blocks = parse(text, _WRITER)
    return text.strip() if blocks is None else _free_addresses(_blocks(blocks)).strip("\n")


def _blocks(blocks: Sequence[MarkdownBlock]) -> str:
    """Blocks below each other, with an empty line where the source has one."""
    found = ""
    for block in blocks:
        text = _block(block)
        if text is not None:
            found += (("\n\n" if block.apart else "\n") if found else "") + text
    return found


def _block(block: MarkdownBlock) -> str | None:
    """One block; None for a mark that leaves nothing."""
    match block.kind:
        case "code":
            return f"{VERBATIM_START}{block.words[0].text.rstrip(_LINE_END)}{VERBATIM_END}"
        case "rule":
            mark = block.words[0].text
            return None if mark.startswith("-") else mark
        case "quote":
            return "\n".join(f"> {line}".rstrip() for line in _blocks(block.inside).split("\n"))
        case "list":
            return "\n".join(_items(block.inside))
        case "table":
            return "\n".join(_CELLS.join(_inline(cell.words) for cell in row.inside).rstrip() for row in block.inside)
        case _:
            return _inline(block.words)


def _items(items: Sequence[MarkdownBlock]) -> Iterator[str]:
    for number, item in enumerate(items):
        text = ""
        for part in item.inside:
            own = _block(part) or ""
            if text and part.kind == "list":
                own = "\n".join("  " + line if line else line for line in own.split("\n"))
            if own:
                text += (("\n\n" if part.apart else "\n") if text else "") + own
        mark = "-" if item.mark == "*" else item.mark
        yield ("\n" if number and item.apart else "") + f"{mark} {text}".rstrip()


def _inline(words: Sequence[Inline]) -> str:
    return "".join(map(_piece, words))


def _piece(piece: Inline) -> str:
    match piece.kind:
        case "break":
            return "\n"
        case "code":
            return f"{VERBATIM_START}{piece.text}{VERBATIM_END}"
        case "unlink":
            return piece.plain
        case "text":
            return piece.text
        case _:
            return ""


def _write_link(link: Link) -> Iterator[Inline]:
    """`text: address`, or the address alone where the text says the same."""
    title = f" {link.title}" if link.title else ""
    href, said = _SPACE.sub("%20", link.address), link.said.strip()
    if link.bare:
        yield Inline("code", href)
    elif _UNSAFE.match(href):
        yield from (Inline("text", "["), *link.words, Inline("text", f"]({href}){title}"))
    elif _same(said, href):
        shown = said if href.lower().startswith(("mailto:", "tel:", "sms:")) else href
        yield Inline("unlink", plain=f"{_free(shown)}{title}")
    else:
        if said:  # behind words that are an address themselves a colon would be taken for part of it
            yield from (*link.words, Inline("text", " : " if _ADDRESS_AT_END.search(said) else ": "))
        yield Inline("unlink", plain=f"{_free(_shown(href))}{title}")


def _free(address: str) -> str:
    return f"{_FREE_START}{VERBATIM_START}{address}{VERBATIM_END}{_FREE_END}"


def _shown(href: str) -> str:
    """An address of mail or telephone as people write it."""
    return href if "?" in href else href.removeprefix("mailto:").removeprefix("tel:")


def _same(words: str, href: str) -> bool:
    """Whether a link's words are its address."""
    if number := _NUMBER.fullmatch(href):
        return _NO_DIGIT.sub("", words) == _NO_DIGIT.sub("", number[1]) != "" and not any(map(str.isalpha, words))
    return _bare(words) == _bare(href)


def _bare(address: str) -> str:
    return _PLAIN_LINK.sub("", address.strip()).lower()


def _free_addresses(text: str) -> str:
    """Each address with a space or an end of line at both sides; a full stop that ends its line is left out."""
    text = re.sub(rf"(?<=[^\s])(?<!{VERBATIM_START}){_FREE_START}", " ", text).replace(_FREE_START, "")
    text = re.sub(rf"{_FREE_END}[.\u3002](?=\s*(?:\n|$))", "", text)
    return re.sub(rf"{_FREE_END}(?=\S)", " ", text).replace(_FREE_END, "")


_WRITER: Final = PieceWriter(_write_link)
