"""What HTML says without words that are shown: where a link leads, and what a picture is said to show. Pure.

A person learns of a target by pointing at the link, and of a picture's description where pictures are not loaded. Both are the author's
to choose and may hold words that nobody looks at, so they are short, a target is one address without blanks, and a description is marked
as one; what is longer counts as hidden.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

MAX_TARGET: Final = 300
MAX_ALT: Final = 200
SMALLEST_PICTURE: Final = 2.0
"""Pictures of up to so many pixels in width or height count who reads a mail, and are not seen."""

_SCHEME: Final = re.compile(r"(https?://|mailto:|tel:)(?=\S)", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"(?:https?://|mailto:|tel:)?(?:www\.)?(.*?)[/.\s]*", re.IGNORECASE | re.DOTALL)
_REMOVED: Final = re.compile(r"[\t\n\r]")
_SIZE: Final = re.compile(r"\s*(\d{1,6}(?:\.\d{1,6})?)\s*(?:px)?\s*")
_AROUND: Final = "<>[] \t\r\n\xa0"
"""What stands around an address that is a link with its brackets."""
_NOT_DIALLED: Final = re.compile(r"[\s()./-]")


def target(href: str, words: str) -> str:
    """The address of a link behind its words; '' where they are the address, and where it is none that a person could open."""
    address = _REMOVED.sub("", href).strip("\0\x01\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x1f ")
    scheme = _SCHEME.match(address)
    if scheme is None:
        return ""
    if scheme[1].lower() == "mailto:":
        address = address.partition("?")[0]
    if _bare(address) == _bare(words.strip(_AROUND)):
        return ""
    plain = "".join(letter if letter.isprintable() and not letter.isspace() else quote(letter, errors="replace") for letter in address)
    return plain if len(plain) <= MAX_TARGET else plain[:MAX_TARGET] + "…"


def _bare(address: str) -> str:
    """An address without what people leave out of it."""
    text = " ".join(address.split()).casefold()
    if text.startswith("tel:") or text[:1] in "+0":
        return _NOT_DIALLED.sub("", text.removeprefix("tel:"))
    found = _ADDRESS.fullmatch(text)
    return found[1] if found else text


def is_tiny(attributes: dict[str, str], said: dict[str, str]) -> bool:
    """Whether a picture has no size to speak of, by its attributes or by its declarations, which are stronger."""
    for name in ("width", "height"):
        found = _SIZE.fullmatch(said.get(name) or attributes.get(name, ""))
        if found and float(found[1]) <= SMALLEST_PICTURE:
            return True
    return False


def description(alt: str) -> tuple[str, str]:
    """What a picture is said to show, in brackets, and what is left out of it; an emoji stands for itself."""
    words = " ".join(alt.split())
    if not any(letter.isalnum() for letter in words):
        return words[:MAX_ALT], ""
    return f"[picture: {words[:MAX_ALT].rstrip()}]", words[MAX_ALT:]
