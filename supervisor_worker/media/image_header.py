"""Whether a file is a picture that the model may be shown, read from its header alone. Pure; nothing is decoded.

The kind of a file follows from its first bytes, never from the type that its sender declared. Decoding is left to the model's
provider: a picture of 44 kB may become a gigabyte when it is decoded.
"""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass, field
from typing import Final, Literal

MediaType = Literal["image/png", "image/jpeg", "image/gif", "image/webp"]
Size = tuple[int, int]

MAX_BYTES: Final = 5 * 1024 * 1024 * 3 // 4
"""Anthropic takes 5 MiB a picture, and counts them in base64."""
MAX_SIDE: Final = 8_000
MAX_PIXELS: Final = 8_000_000
MAX_TOKENS: Final = 1_600
PIXELS_A_TOKEN: Final = 750

_PNG: Final = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_GIF: Final = (b"GIF87a", b"GIF89a")
_JPEG: Final = b"\xff\xd8\xff"
_MAX_SEGMENTS: Final = 1_000
_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PICTURE_BEGINS: Final = (0xD9, 0xDA)


class NotAPicture(ValueError):
    """A file that is not shown; the text is a word for the log."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture for the model: base64, and the type and size from its header."""

    media_type: MediaType
    width: int
    height: int
    data: str = field(repr=False)

    @property
    def tokens(self) -> int:
        """What the model is about to charge: a token for 750 pixels, up to the size to which it scales larger pictures down."""
        return min(MAX_TOKENS, math.ceil(self.width * self.height / PIXELS_A_TOKEN))


def read_picture(data: bytes) -> Picture:
    """A file as a picture. Raises NotAPicture `not_a_picture`, `no_size`, `too_many_pixels` or `too_large`."""
    if len(data) > MAX_BYTES:
        raise NotAPicture("too_large")
    media_type, size = _measured(data)
    if size is None or not all(size):
        raise NotAPicture("no_size")
    if max(size) > MAX_SIDE or size[0] * size[1] > MAX_PIXELS:
        raise NotAPicture("too_many_pixels")
    return Picture(media_type, *size, base64.b64encode(data).decode("ascii"))


def _measured(data: bytes) -> tuple[MediaType, Size | None]:
    if data.startswith(_PNG):
        return "image/png", _big(data, 16, 4)
    if data.startswith(_GIF):
        return "image/gif", _little(data, 6, 2)
    if data.startswith(_JPEG):
        return "image/jpeg", _jpeg(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp", _webp(data)
    raise NotAPicture("not_a_picture")


def _big(data: bytes, at: int, width: int) -> Size | None:
    """Two numbers of `width` bytes, the first byte the highest; None where the data ends before."""
    if len(data) < at + 2 * width:
        return None
    return int.from_bytes(data[at : at + width]), int.from_bytes(data[at + width : at + 2 * width])


def _little(data: bytes, at: int, width: int) -> Size | None:
    """The same, the first byte the lowest."""
    if len(data) < at + 2 * width:
        return None
    return int.from_bytes(data[at : at + width], "little"), int.from_bytes(data[at + width : at + 2 * width], "little")


def _jpeg(data: bytes) -> Size | None:
    """The size in the frame's header (ITU T.81, B.2.2), which stands behind other segments: so many are passed over, no more."""
    at = 2
    for _ in range(_MAX_SEGMENTS):
        if data[at : at + 1] != b"\xff" or len(data) < at + 2:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # noqa: PLR2004 - a fill byte
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in _PICTURE_BEGINS or marker == 0:
            return None
        elif marker in _FRAMES:
            size = _big(data, at + 5, 2)
            return size and (size[1], size[0])
        else:
            at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4]))
    return None


def _webp(data: bytes) -> Size | None:
    """The size in the first chunk (RFC 9649): of a canvas, of a lossless or of a lossy picture."""
    kind = data[12:16]
    if kind == b"VP8X":
        size = _little(data, 24, 3)
        return size and (size[0] + 1, size[1] + 1)
    if kind == b"VP8L" and data[20:21] == b"\x2f" and len(data) >= 25:  # noqa: PLR2004 - a byte of signature, four of sizes
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        size = _little(data, 26, 2)
        return size and (size[0] & 0x3FFF, size[1] & 0x3FFF)
    return None
