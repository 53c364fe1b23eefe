"""Addresses in Markdown: which stand there without any markup, and what may be one where the markup of a link says so. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from markdown_it.rules_inline import StateInline, autolink

_BARE: Final = re.compile(r"(?<![A-Za-z0-9_@/.:-])https?://[^\s<>\"'`\[\]{}|\\^\x00-\x1f]+", re.IGNORECASE)
_SCHEME: Final = re.compile(r"(?<![A-Za-z0-9_@/.:-])https?\Z", re.IGNORECASE)
_REST: Final = re.compile(r"://[^\s<>\"'`\[\]{}|\\^\x00-\x1f]+")
_TRAILING: Final = "?!.,:;*_~"
BARE: Final = "bare"
"""The `markup` of a link that has none."""
_LIKE_AN_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]*:(?!:)|//|[/#?]|\.\.?/|[^\s/?#()\[\]]+\.[^\W\d_]{2,}(?:[/?#:]|$)", re.IGNORECASE)
_IN_ANGLES: Final = re.compile(r"<(?:(?:https?|ftp|mailto|tel|sms):|[^<>@\s:]+@)", re.IGNORECASE)


def may_be_address(address: str) -> bool:
    """Whether what a link leads to has the form of an address: `values[0](x)` and `[name](optional)` are no links."""
    return _LIKE_AN_ADDRESS.match(address) is not None


def bare(line: str) -> Iterator[tuple[int, str]]:
    """Each address that stands in a line without any markup: where it begins, and itself."""
    for found in _BARE.finditer(line):
        if address := _trimmed(found[0]):
            yield found.start(), address


def angle_rule(state: StateInline, silent: bool) -> bool:
    """The parser's rule for `<https://...>`, for addresses that people write: `map<std::string>` has the same form."""
    return _IN_ANGLES.match(state.src, state.pos) is not None and autolink(state, silent)


def bare_rule(state: StateInline, silent: bool) -> bool:
    """A rule of the parser's: an address without any markup is a link, and nothing in it is markup."""
    if state.src[state.pos] != ":":
        return False
    scheme = _SCHEME.search(state.pending[-9:])
    rest = _REST.match(state.src, state.pos)
    if scheme is None or rest is None:
        return False
    address = _trimmed(scheme[0] + rest[0])
    if not address:
        return False
    if not silent:
        state.pending = state.pending[: -len(scheme[0])]
        _push(state, address)
    state.pos += len(address) - len(scheme[0])
    return True


def _push(state: StateInline, address: str) -> None:
    if state.linkLevel:
        state.push("text", "", 0).content = address
        return
    begin = state.push("link_open", "a", 1)
    begin.attrs, begin.markup = {"href": address}, BARE
    state.push("text", "", 0).content = address
    state.push("link_close", "a", -1)


def _trimmed(address: str) -> str:
    """Without what belongs to the sentence; '' where nothing is left behind the slashes.

    A letter of a script that is written without spaces ends it as well.
    """
    for place, char in enumerate(address):
        if ord(char) > 0x7F and unicodedata.category(char) not in ("Ll", "Lu", "Mn"):  # noqa: PLR2004 - the end of ASCII
            address = address[:place]
            break
    while address and (address[-1] in _TRAILING or (address[-1] == ")" and address.count(")") > address.count("("))):
        address = address[:-1]
    return address if re.match(r"https?://[^/]", address, re.IGNORECASE) else ""
