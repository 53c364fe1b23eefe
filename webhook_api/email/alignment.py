"""Which domains speak for which authors: DMARC's relaxed alignment, without a public suffix list. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

DOMAIN: Final = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z0-9][a-z0-9-]{0,61}[a-z0-9]")


def aligned(proven: str, author: str, exact: Collection[str] = ()) -> bool:
    """Whether a proven domain is aligned with the author's: the same, or one below the other (DMARC's relaxed alignment).

    DMARC compares organizational domains by the public suffix list. There is no such list here: it is data that ages and would have to be
    fetched. The rule without it is stricter: two siblings (a.example.com, b.example.com) do not align, and both domains must have two
    labels; where a suffix itself has two (co.uk), nobody can sign for it.

    For the domains in `exact` (EMAIL_EXACT_DOMAINS), and those below them, only the very same domain is aligned: an owner who hands out
    subdomains to customers lets each customer sign as one.
    """
    proven, author = proven.rstrip(".").lower(), author.rstrip(".").lower()
    if not (DOMAIN.fullmatch(proven) and DOMAIN.fullmatch(author)):
        return False
    if proven == author or any(f".{author}".endswith(f".{domain}") for domain in exact):
        return proven == author
    return proven.endswith("." + author) or author.endswith("." + proven)


def envelope_domain(envelope_from: str) -> str:
    """The domain of a return path, in brackets or without; '' when it is not a plain address."""
    text = envelope_from.removeprefix("<").removesuffix(">")
    return text.rpartition("@")[2].lower() if text.count("@") == 1 and not any(character in text for character in '<>", ') else ""
