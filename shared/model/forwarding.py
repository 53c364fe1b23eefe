"""Forwarding addresses: what anybody writes there is told to the person whom the address belongs to, and to nobody else. Pure.

    forwarding = [{ address = "contact@example.com", tag = "contact" }]

The tag stands in the subject of what the person is told. Whoever writes such a mail, nothing in it counts as the person's own words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.errors import BadInput
from shared.model.addresses import EmailAddress

MAX_FORWARDING: Final = 20
WITHHELD: Final = "forwarding_limited"
"""The reason of a mail beyond the day's bound of its forwarding address: it is kept, and named in the digest."""
_FIELDS: Final = {"address", "tag"}
_TAG: Final = re.compile(r"[^\W_](?:[\w .&-]{0,22}[^\W_])?")


@dataclass(frozen=True, slots=True)
class Forwarding:
    """One forwarding address of a person, and the tag in the subject of what they are told."""

    address: EmailAddress
    tag: str


def parse(tables: Any) -> tuple[Forwarding, ...]:
    """What an entry of the users file has under `forwarding`. Raises BadInput with a sentence about the fault, without the value."""
    if not isinstance(tables, list) or len(tables) > MAX_FORWARDING or not all(isinstance(table, dict) for table in tables):
        raise BadInput(f"must be a list of at most {MAX_FORWARDING} tables with address and tag")
    return tuple(_one(table) for table in tables)


def _one(table: dict[str, Any]) -> Forwarding:
    if set(table) != _FIELDS or not all(isinstance(value, str) for value in table.values()):
        raise BadInput("each must have an address and a tag, both text, and nothing else")
    try:
        address = EmailAddress.parse(table["address"])
    except BadInput:
        raise BadInput("has an address that is not a mail address") from None
    if not _TAG.fullmatch(table["tag"]):
        raise BadInput("a tag is letters, digits, spaces and - . & _, 24 at most, with a letter or digit at its ends")
    return Forwarding(address, table["tag"])


def clashes(addresses: Sequence[EmailAddress], own: Collection[EmailAddress], bosses: Collection[EmailAddress]) -> list[str]:
    """What is wrong with all forwarding addresses of a file together. `own` are the addresses of persons, `bosses` those of their Bosses.

    A tag makes no other address of a person's or a Boss's, so that `boss+x@` cannot be one.
    """
    found = []
    if any(number > 1 for number in Counter(addresses).values()):
        found.append("a forwarding address stands there twice, in one entry or in two")
    for what, others in (("a person's own address", own), ("a Boss's address", bosses)):
        if {address.untagged for address in addresses} & {other.untagged for other in others}:
            found.append(f"a forwarding address is {what}, or that with a tag")
    return found
