"""What stands before a mail's subject, such as `Re: Fwd:`. Pure."""

from __future__ import annotations

import re
from typing import Final

FORWARD_PREFIXES: Final = (
    "fwd", "fw", "wg", "tr", "rv", "i", "enc", "vs", "pd", "doorst", "vb", "vl", "videresend", "ilt", "redir", "转发", "轉寄", "轉送",
    "転送", "전달", "továbbítás", "σχετ", "прд",
)  # fmt: skip
"""What stands before the colon at the begin of the subject of a mail that is passed on, in lower case."""
_PREFIX: Final = re.compile(r"\s*\[?([^\W\d_]{1,12})\.?\s?(?:[\[(]\d{1,3}[\])])?\s?[:\uff1a]")
_MOST: Final = 20
"""Prefixes of one subject that are looked at."""


def is_passed_on(subject: str) -> bool:
    """Whether a subject is one of a mail that was passed on, also where it was answered since (`Re: Fwd: ...`): then others chose it."""
    at = 0
    for _ in range(_MOST):
        found = _PREFIX.match(subject, at)
        if found is None:
            return False
        if found[1].casefold() in FORWARD_PREFIXES:
            return True
        at = found.end()
    return False
