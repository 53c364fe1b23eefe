"""How many messages a text takes, by making them: the octets of GSM 03.38 and of UTF-16, cut as 3GPP TS 23.040 cuts them.

It shares nothing with the product: the alphabet is spelled in the order of the standard's table, and the text is encoded and cut.
"""

from __future__ import annotations

from typing import Final

TABLE: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The default alphabet, by code. The escape is not a character of its own."""
ESCAPE: Final = 0x1B
EXTENSION: Final = {0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€"}
_CODES: Final = {character: bytes([code]) for code, character in enumerate(TABLE) if code != ESCAPE} | {
    character: bytes([ESCAPE, code]) for code, character in EXTENSION.items()
}
HIGH_SURROGATES: Final = range(0xD800, 0xDC00)


def encoded(text: str) -> tuple[str, list[int]]:
    """The alphabet, and the units of the text in it."""
    if all(character in _CODES for character in text):
        return "GSM-7", list(b"".join(_CODES[character] for character in text))
    octets = text.encode("utf-16-be")
    return "UCS-2", [octets[place] << 8 | octets[place + 1] for place in range(0, len(octets), 2)]


def messages(text: str) -> tuple[str, list[list[int]]]:
    """The alphabet, and the units of each message."""
    alphabet, units = encoded(text)
    alone, joined = (160, 153) if alphabet == "GSM-7" else (70, 67)
    if len(units) <= alone:
        return alphabet, [units]
    found = []
    while units:
        length = min(joined, len(units))
        last = units[length - 1]
        if length < len(units) and (last == ESCAPE if alphabet == "GSM-7" else last in HIGH_SURROGATES):
            length -= 1
        found.append(units[:length])
        units = units[length:]
    return alphabet, found
