"""Reads the two charsets of Japanese mail that Python's codecs know without the characters of NEC and IBM: ISO-2022-JP and EUC-JP.

Each pair of bytes is turned into Shift_JIS, whose code page 932 has them (JIS X 0208 Annex 1; Lunde, CJKV Information Processing).
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Final

_ESCAPE: Final = re.compile(rb"\x1b(\([BJIH]|\$[@B]|\$\([@BD]|&@)")
_PAIRS: Final = frozenset({b"$@", b"$B", b"$(@", b"$(B"})
_SECOND_SET: Final = b"$(D"
_KATAKANA: Final = b"(I"
_EUC: Final = re.compile(rb"[\x00-\x7f]+|(?:[\xa1-\xfe][\xa1-\xfe])+|(?:\x8e[\xa1-\xdf])+|(?:\x8f[\xa1-\xfe][\xa1-\xfe])+|.", re.DOTALL)
_FIRST: Final = 0x21
_LAST: Final = 0x7E
_HIGH_BIT: Final = 0x80
_LAST_BELOW_KATAKANA: Final = 0x5E
_BEHIND_THE_GAP: Final = 0x60
_UNREADABLE: Final = b"\x81"
"""Half of a pair: no character by itself."""
_RAISE: Final = bytes(byte | _HIGH_BIT if _FIRST <= byte <= _LAST else byte for byte in range(256))
_AS_WINDOWS: Final = str.maketrans("\xa2\xa3\xac\u2016\u2212\u301c", "\uffe0\uffe1\uffe2\u2225\uff0d\uff5e")
"""The six characters that Python's codec and code page 932 turn into different ones."""


def iso_2022_jp(raw: bytes) -> str:
    """The text of ISO-2022-JP; a line's end returns to ASCII, as mail programs do where an escape was lost."""
    return "\n".join(_line(line) for line in raw.split(b"\n"))


def _line(line: bytes) -> str:
    first, *rest = _ESCAPE.split(line)
    text = first.decode("ascii", "replace")
    for escape, content in zip(rest[::2], rest[1::2], strict=True):
        if escape in _PAIRS:
            text += _pairs(content)
        elif escape == _SECOND_SET:
            pairs = [content[at : at + 2].translate(_RAISE) for at in range(0, len(content), 2)]
            text += b"".join(b"\x8f" + pair for pair in pairs).decode("euc_jp", "replace")
        elif escape == _KATAKANA:
            text += content.translate(_RAISE).decode("cp932", "replace")
        else:
            text += content.decode("ascii", "replace")
    return text


def euc_jp(raw: bytes) -> str:
    """The text of EUC-JP."""
    return "".join(_euc(run) for run in _EUC.findall(raw))


def _euc(run: bytes) -> str:
    if run[0] < _HIGH_BIT or len(run) == 1:
        return run.decode("ascii", "replace")
    if run[0] in b"\x8e\x8f":
        return run.decode("euc_jp", "replace")
    return _pairs(bytes(byte & 0x7F for byte in run))


def _pairs(content: bytes) -> str:
    """The text of pairs of bytes from 21 to 7E, each a row and a cell of JIS X 0208; what is no pair, or an empty cell, cannot be read."""
    with suppress(UnicodeDecodeError):
        return content.translate(_RAISE).decode("euc_jp").translate(_AS_WINDOWS)
    pieces = []
    at = 0
    while at < len(content):
        row, cell = content[at], content[at + 1] if at + 1 < len(content) else 0
        paired = _FIRST <= row <= _LAST and _FIRST <= cell <= _LAST
        pieces.append(_shifted(row, cell) if paired else bytes((row,)) if row < _FIRST else _UNREADABLE)
        at += 1 + paired
    try:
        return b"".join(pieces).decode("cp932")
    except UnicodeDecodeError:
        return "".join(_one(piece) for piece in pieces)


def _shifted(row: int, cell: int) -> bytes:
    """A row and a cell as Shift_JIS: two rows share a lead byte; leads skip the katakana of one byte, and trails 7F."""
    lead = (row - _FIRST >> 1) + (0x81 if row <= _LAST_BELOW_KATAKANA else 0xC1)
    trail = cell + (0x1F + (cell >= _BEHIND_THE_GAP) if row & 1 else 0x7E)
    return bytes((lead, trail))


def _one(piece: bytes) -> str:
    try:
        return piece.decode("cp932")
    except UnicodeDecodeError:
        return "\ufffd"
