"""Text from outside as the model is shown it: cleaned, bounded, and with notes of ours that it cannot forge. Pure.

A note stands in brackets that are removed from all other text: nobody can forge the end of a mail, a file or a picture.
"""

from __future__ import annotations

import re
from typing import Final

from shared.model.text import FEW, clean

MAX_TEXT: Final = 16_000
"""Characters of one message that the model is shown."""
# Our brackets and all that look like them: those that Unicode calls white (with a double line) or square with something more, in every
# form, except the corner ones, which are the quotation marks of Japanese.
_OPENING: Final = "\u27e6\u2045\u27ec\u2983\u2985\u298b\u298d\u298f\u2e55\u2e57\u2e28\u3016\u3018\u301a\ufe17\uff5f"
_CLOSING: Final = "\u27e7\u2046\u27ed\u2984\u2986\u298c\u298e\u2990\u2e56\u2e58\u2e29\u3017\u3019\u301b\ufe18\uff60"
_STRUCK: Final = re.compile("([\\[\\]])[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")
"""A square bracket with strokes through it, which looks like ours."""
_COPIED: Final = re.compile(r"^[ \t]*\u27e6[^\u27e6\u27e7\n]*\u27e7[ \t]*(?:\n+|\Z)", re.MULTILINE)
"""A line that is one note of ours, with the empty lines behind it."""
OPENING, CLOSING = _OPENING[0], _CLOSING[0]
"""The brackets of a note of ours."""
_OURS: Final = str.maketrans(_OPENING + _CLOSING, "[" * len(_OPENING) + "]" * len(_CLOSING))


def note(text: str) -> str:
    """A note of ours."""
    return f"\u27e6{text}\u27e7"


def theirs(text: str) -> str:
    """Text of others: cleaned, and without brackets like ours."""
    plain = clean(text).strip()
    return plain if plain.isascii() else _STRUCK.sub(r"\1", plain.translate(_OURS))


def without_notes(text: str) -> str:
    """A model's answer as a person reads it: without the notes of ours that it has copied. A small model repeats what it was shown.

    A note that is a line goes; brackets within a line become square ones, and what stands in them stays.
    """
    return text if text.isascii() else _COPIED.sub("", text).replace(_OPENING[0], "[").replace(_CLOSING[0], "]")


def capped(text: str) -> str:
    """Text of others, up to MAX_TEXT characters; a note says how much is left out."""
    text = theirs(text)
    left_out = len(text) - MAX_TEXT
    return text if left_out <= 0 else text[:MAX_TEXT] + "\n" + note(f"the rest, {left_out:,} characters, is left out")


def left_out(hidden: int) -> str:
    """The note on characters that a person does not see; '' for a few of them."""
    return note(f"{hidden:,} characters that a person cannot see are left out") if hidden > FEW else ""


def picture_mark(number: int) -> str:
    """The note before a picture, which is also in the text that it came with."""
    return note(f"picture {number}")


def document_mark(number: int) -> str:
    """The note before a document, which is also in the text that it came with."""
    return note(f"document {number}")


def count(number: int, what: str) -> str:
    """`2 pictures`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
