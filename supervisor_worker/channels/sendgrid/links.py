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
from urllib.parse import unquote

from markdown_it.common.normalize_url import normalizeLink

from shared.model.text import clean
from supervisor_worker.channels.markdown.blocks import Inline, Link

MAX_ADDRESS: Final = 900
"""Characters of an address as HTML: with its tag it has to stand on one line, and a line of a mail has 998 bytes."""
_HOST: Final = r"(?:[a-z0-9_-]+\.)*[a-z0-9_-]+"
_WEB: Final = re.compile(
    rf"https?://(?P<login>[^\s/?#@\[\]\\]*@)?(?P<host>{_HOST})\.?(?::(?P<port>\d{{1,5}}))?(?:[/?#][!#-;=?-\[\]_a-z~]*)?",
    re.ASCII | re.IGNORECASE,
)
# A browser reads a host that ends with a number as an IP address, in many forms: 0x7f.1 is 127.0.0.1.
_NUMBER: Final = re.compile(r"(?:^|\.)(?:\d+|0x[0-9a-f]*)\Z", re.ASCII | re.IGNORECASE)
_QUAD: Final = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!\Z)|\Z)){4}", re.ASCII)
_MAX_PORT: Final = 65_535
# With recipients of its own choice or a copy to somebody a link would write to others than it says; a subject has one line.
_SUBJECT: Final = r"subject=(?:(?!%0[ad])[\w.~%!$'()*+,;:@/-])*"
_BODY: Final = r"body=[\w.~%!$'()*+,;:@/-]*"
_MAIL: Final = re.compile(
    rf"mailto:(?P<host>[\w.+-]+@{_HOST})(?:\?(?:{_SUBJECT}|{_BODY})(?:&(?:{_SUBJECT}|{_BODY}))*)?",
    re.ASCII | re.IGNORECASE,
)
# No star and no hash: those are commands to a telephone.
_TEL: Final = re.compile(r"tel:(?P<host>\+?[\d().-]{2,30})", re.ASCII | re.IGNORECASE)

_READ_AS: Final = str.maketrans(
    dict.fromkeys("\u3002\uff0e\uff61\u00b7\u2027\u2219\u22c5\u2022\u06d4\u30fb\uff65", ".")
    | dict.fromkeys("\u2044\u2215\u29f8\u2571", "/")
    | dict.fromkeys("*`\\", "")
)
"""What is read as a dot or a stroke, and marks that may stand within a host."""
_SPACED_DOT: Final = re.compile(r"\s+\.\s*")
_SPACED_HOST: Final = re.compile(r"([\w-]{3,})\.\s+([a-z]{2,})")
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
    found = _WEB.fullmatch(address)
    if found and int(found["port"] or 0) <= _MAX_PORT and (_QUAD.fullmatch(found["host"]) or not _NUMBER.search(found["host"])):
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
    read = _SPACED_DOT.sub(".", unicodedata.normalize("NFKC", unquote(words).translate(_READ_AS)))
    if whole := _SPACED_HOST.fullmatch(read.strip()):
        read = f"{whole[1]}.{whole[2]}"
    for word in read.split():
        plain = word.strip("()<>[]{}\"',;!?.\u2026\u201c\u201d\u2018\u2019").lstrip("/").lower()
        scheme = _BEFORE_HOST.match(plain) if "://" in plain or plain.startswith(("mailto:", "tel:")) else None
        rest = plain[scheme.end() :] if scheme else plain
        host = _BEHIND_HOST.split(rest, maxsplit=1)[0]
        if scheme or "@" in host or _NAMED.search(host):
            found.append(host)
    return found


def write_link(link: Link) -> Iterator[Inline]:
    """A link as a mail has it: one whose address may not leave us is words and the address as text, and so is a picture.

    A picture that is fetched tells its host that and when a mail was read.
    """
    title = clean(link.title)
    if link.picture:
        described = " ".join(each for each in (clean(link.said), title) if each)
        address = normalizeLink(link.address)
        yield Inline("text", f"{described} ({address})" if described and address else described or address)
        return
    yield from _linked(link)
    if title:
        yield Inline("text", f" {title}")


def _linked(link: Link) -> Iterator[Inline]:
    said, address = link.said.strip(), normalizeLink(link.address)
    leads, address = target(address), clean(address)
    if leads is None:
        yield from link.words
        yield Inline("text", f" ({address})" if address and address != said else "")
        return
    host = host_to_show(said, leads)
    shown = f" ({host})" if host else ""
    known = says(said, leads.address) or says(normalizeLink(said), leads.address)
    yield Inline("link", leads.address)
    yield from link.words if said else [Inline("text", leads.address)]
    yield Inline("unlink", shown, shown if known or not said else f" ({leads.address})")
