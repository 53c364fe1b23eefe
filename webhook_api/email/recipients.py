"""Whom a mail is written to, as it shows itself: where the Boss stands among its recipients, and who the others are."""

from __future__ import annotations

import re
from typing import Final

from shared.errors import BadInput
from shared.model.addresses import EmailAddress, parse_address_list, seen_addresses
from shared.model.text import one_line
from webhook_api.email.headers import Headers, decoded

MAX_OTHERS: Final = 20
MAX_LINE: Final = 8_000
MAX_NAME: Final = 100
_NAMED: Final = re.compile(r'(?:"([^"<>]{1,100})"|([^"<>,;:]{1,100}))\s{0,4}<([^<>\s]{1,320})>')


def addressed(headers: Headers, boss: EmailAddress) -> str:
    """Where the Boss stands: `to`, `cc` or, where the mail names only others, `bcc`; '' where it names nobody."""
    for name in ("to", "cc"):
        if boss in _addresses(headers, name):
            return name
    return "bcc" if any(_addresses(headers, name) for name in ("to", "cc")) else ""


def others(headers: Headers, boss: EmailAddress, sender: EmailAddress) -> tuple[str, ...]:
    """Who else it is written to, each once, with their name where the mail has one."""
    found: dict[EmailAddress, str] = {}
    for name in ("to", "cc"):
        names = {address.lower(): quoted or bare for line in _lines(headers, name) for quoted, bare, address in _NAMED.findall(line)}
        for address in _addresses(headers, name):
            if address not in (boss, sender) and len(found) < MAX_OTHERS:
                found.setdefault(address, one_line(names.get(address.value, ""), MAX_NAME))
    return tuple(f"{name} <{address}>" if name else str(address) for address, name in found.items())


def _lines(headers: Headers, name: str) -> list[str]:
    return [decoded(value[:MAX_LINE]) for value in headers.all(name)]


def _addresses(headers: Headers, name: str) -> list[EmailAddress]:
    """The addresses of these headers; of a value that is no list, what looks like one in it."""
    found: list[EmailAddress] = []
    for value in headers.all(name):
        try:
            found += parse_address_list(" ".join(value.split()))
        except BadInput:
            found += seen_addresses(value[:MAX_LINE])
    return found
