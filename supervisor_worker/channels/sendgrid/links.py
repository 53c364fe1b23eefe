"""Which addresses may leave us as links, and what a reader has to see of them. Pure.

An address is a link only if it has one of the forms below. They are narrower than what browsers take, so that the host that is shown is the
host that a browser goes to.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from markdown_it.rules_inline import StateInline

MAX_ADDRESS: Final = 900
"""Characters of an address as HTML: with its tag it has to stand on one line, and a line of a mail has 998 bytes."""
_HOST: Final = r"(?:[a-z0-9_-]+\.)*[a-z0-9_-]+"
_WEB: Final = re.compile(
    rf"https?://(?P<login>[^\s/?#@\[\]\\]*@)?(?P<host>{_HOST})\.?(?::\d{{1,5}})?(?:[/?#][!#-;=?-\[\]_a-z~]*)?", re.ASCII | re.IGNORECASE
)
# With recipients of its own choice or a copy to somebody a link would write to others than it says.
_MAIL: Final = re.compile(
    rf"mailto:(?P<host>[\w.+-]+@{_HOST})(?:\?(?:subject|body)=[\w.~%!$'()*+,;:@/-]*(?:&(?:subject|body)=[\w.~%!$'()*+,;:@/-]*)*)?",
    re.ASCII | re.IGNORECASE,
)
# No star and no hash: those are commands to a telephone.
_TEL: Final = re.compile(r"tel:(?P<host>\+?[\d().-]{2,30})", re.ASCII | re.IGNORECASE)

_BARE: Final = re.compile(r"(?<![A-Za-z0-9_@/.:-])https?://[^\s<>\"'`\[\]{}|\\^\x00-\x1f]+", re.IGNORECASE)
_SCHEME: Final = re.compile(r"(?<![A-Za-z0-9_@/.:-])https?\Z", re.IGNORECASE)
_REST: Final = re.compile(r"://[^\s<>\"'`\[\]{}|\\^\x00-\x1f]+")
_TRAILING: Final = "?!.,:;*_~"
_DOTS: Final = str.maketrans("\u3002\uff0e\uff61", "...")
_BEFORE_HOST: Final = re.compile(r"[a-z][a-z0-9+.-]*:/*", re.IGNORECASE)
_BEHIND_HOST: Final = re.compile(r"[/?#\\:]")
_NO_WEB: Final = re.compile(r"^(?:mailto|tel):", re.IGNORECASE)
_NAMED: Final = re.compile(r"[^\W_]\.[^\W\d_]{2}|\d\.\d+\.\d+\.\d")
_DIGITS_OF_A_NUMBER: Final = 4


@dataclass(frozen=True, slots=True)
class Target:
    """An address that may be a link. `host` is whom it leads to: a host, a mail address, a number. `login`: a name stands before it."""

    address: str
    host: str
    login: bool = False


def target(address: str) -> Target | None:
    """The address as a link may have it; None for any other."""
    if len(html.escape(address)) > MAX_ADDRESS:
        return None
    if found := _WEB.fullmatch(address):
        return Target(address, found["host"].lower(), login=found["login"] is not None)
    if found := _MAIL.fullmatch(address) or _TEL.fullmatch(address):
        return Target(address, found["host"].lower())
    return None


def says(words: str, address: str) -> bool:
    """Whether a link's words are its address, or what it is made of."""
    return words.rstrip("/") == address.rstrip("/") or words == _NO_WEB.sub("", address)


def host_to_show(words: str, leads: Target) -> str:
    """What has to stand behind a link's words: whom it leads to, if the words look like an address and are not that one; else ''."""
    if leads.login:
        return leads.host
    if leads.address.lower().startswith("tel:"):
        said, meant = (re.sub(r"\D", "", each) for each in (words, leads.host))
        return leads.host if (len(said) >= _DIGITS_OF_A_NUMBER and said != meant) or _hosts(words) else ""
    same = {leads.host, leads.host.removeprefix("www.")}
    return leads.host if any(each not in same for each in _hosts(words)) else ""


def _hosts(words: str) -> list[str]:
    """What reads like a host or a mail address in a link's words; letters that look alike are taken for what they look like."""
    found = []
    for word in unicodedata.normalize("NFKC", words.translate(_DOTS)).split():
        plain = word.strip("()<>[]{}\"',;!?.\u2026\u201c\u201d\u2018\u2019").lower()
        scheme = _BEFORE_HOST.match(plain) if "://" in plain or plain.startswith(("mailto:", "tel:")) else None
        rest = plain[scheme.end() :] if scheme else plain
        host = _BEHIND_HOST.split(rest, maxsplit=1)[0]
        if scheme or "@" in host or _NAMED.search(host):
            found.append(host)
    return found


def bare(line: str) -> Iterator[tuple[int, str]]:
    """Each address that stands in a line without any markup: where it begins, and itself."""
    for found in _BARE.finditer(line):
        if address := _trimmed(found[0]):
            yield found.start(), address


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
    state.push("link_open", "a", 1).attrs = {"href": state.md.normalizeLink(address)}
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
