"""A text as its letters alone: what is left of it when wraps, marks of quotation, Markdown, quotation marks and dashes are gone. Pure.

Mail programs change all of these when they quote, and none of the letters. "?" and pictographs stay, since "???" may be an answer.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

MAX_WORD: Final = 1_000
_WORD: Final = re.compile(rf"\S{{1,{MAX_WORD}}}")
_DROPPED: Final = re.compile("[^\\w?!%+\u20ac$\u00a3\u231a\u231b\u23e9-\u23fa\u2600-\u27bf\u2b50\u2b55\U0001f000-\U0001faff]+|_+")
_DROPPED_ASCII: Final = str.maketrans("", "", "".join(c for c in map(chr, range(128)) if not (c.isalnum() or c in "?!%+$")))


def letters(text: str) -> str:
    """The letters, digits, `? ! % + € $ £` and pictographs of a text, in NFKC and case-folded."""
    if text.isascii():
        return text.translate(_DROPPED_ASCII).lower()
    # By words of bounded length: over one long run of combining marks, composing takes quadratic time.
    composed = "".join(unicodedata.normalize("NFKC", word) for word in _WORD.findall(text))
    return _DROPPED.sub("", composed.casefold())


def without_number(line: str) -> str:
    """A line's letters without the digits that it begins with: HTML lists lose their numbers."""
    return line.lstrip("0123456789")
