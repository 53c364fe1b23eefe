"""Counts the SMS segments of a text (3GPP TS 23.038), so that `num_segments` is what Twilio would bill."""

from __future__ import annotations

from typing import Final

GSM_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENDED: Final = frozenset("^{}\\[~]|€\f")
BASIC_PLANE_END: Final = "\uffff"
GSM_SINGLE, GSM_PART = 160, 153
"""Septets of a text of one segment, and of each segment of several."""
UCS2_SINGLE, UCS2_PART = 70, 67
"""The same in UTF-16 code units."""


def count_segments(text: str) -> int:
    """Count the segments. An escape pair or a surrogate pair is never split between two of them."""
    if all(char in GSM_BASIC or char in GSM_EXTENDED for char in text):
        return _fill([2 if char in GSM_EXTENDED else 1 for char in text], GSM_SINGLE, GSM_PART)
    return _fill([2 if char > BASIC_PLANE_END else 1 for char in text], UCS2_SINGLE, UCS2_PART)


def _fill(widths: list[int], single: int, part: int) -> int:
    """Pack characters of these widths into parts of size `part`, or into one of size `single` if they fit."""
    if sum(widths) <= single:
        return 1
    parts, room = 1, part
    for width in widths:
        if width > room:
            parts, room = parts + 1, part
        room -= width
    return parts
