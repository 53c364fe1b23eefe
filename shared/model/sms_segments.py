"""How a text travels, and what is billed for it: its alphabet and its segments, by GSM 03.38 and 3GPP TS 23.038. Pure.

A text whose characters all stand in the GSM alphabet takes 7 bits for each of them, 160 in one segment; any other character makes the
whole text UCS-2, 70 in one segment. A text of several segments loses a few of each to the header that joins them. A pair, of an escape
and its character or of two surrogates, is never halved, so that a segment may end with one place empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

Encoding = Literal["GSM-7", "UCS-2"]

GSM_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""One septet each. The 128th code is the escape, which is no character."""
GSM_EXTENSION: Final = frozenset("\f^{}\\[~]|€")
"""Two septets each: the escape, and the character."""
ROOM: Final[Mapping[Encoding, tuple[int, int]]] = {"GSM-7": (160, 153), "UCS-2": (70, 67)}
"""Units, septets or UTF-16 code units, of a lone segment and of each of several."""
_GSM: Final = GSM_BASIC | GSM_EXTENSION
_BASIC_PLANE_END: Final = "\uffff"


@dataclass(frozen=True, slots=True)
class SmsSize:
    """What a text takes: `units` are septets or UTF-16 code units, by its encoding."""

    encoding: Encoding
    segments: int
    units: int


def size(text: str) -> SmsSize:
    """The size of a text; an empty one is billed as one segment."""
    encoding: Encoding = "GSM-7" if fits_gsm(text) else "UCS-2"
    widths = _WIDTHS[encoding](text)
    units = sum(widths)
    single, part = ROOM[encoding]
    return SmsSize(encoding, 1 if units <= single else _parts(widths, part), units)


def fits_gsm(text: str) -> bool:
    """Whether every character stands in the GSM alphabet."""
    return _GSM.issuperset(text)


def _septets(text: str) -> list[int]:
    return [2 if character in GSM_EXTENSION else 1 for character in text]


def _code_units(text: str) -> list[int]:
    return [2 if character > _BASIC_PLANE_END else 1 for character in text]


def _parts(widths: Iterable[int], part: int) -> int:
    parts, room = 1, part
    for width in widths:
        if width > room:
            parts, room = parts + 1, part
        room -= width
    return parts


_WIDTHS: Final[Mapping[Encoding, Callable[[str], list[int]]]] = {"GSM-7": _septets, "UCS-2": _code_units}
