"""The beginnings of pictures of all four kinds, by the formats' own descriptions, without pixels; and one whole picture that is a bomb."""

from __future__ import annotations

import struct
import zlib


def png(width: int, height: int) -> bytes:
    """Signature and IHDR (PNG, 11.2.1)."""
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", width, height, 8, 2, 0, 0, 0)


def gif(width: int, height: int) -> bytes:
    """Header and logical screen descriptor (GIF89a, 17 and 18)."""
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0)


def jpeg(width: int, height: int, marker: int = 0xC0, before: bytes = b"\xff\xe0\x00\x10JFIF\0\1\1\0\0\1\0\1\0\0") -> bytes:
    """SOI, other segments, and the frame's header (ITU T.81, B.2.2)."""
    return b"\xff\xd8" + before + struct.pack(">BBHBHHB", 0xFF, marker, 11, 8, height, width, 1) + b"\1\x11\0"


def webp(width: int, height: int, kind: str = "VP8 ") -> bytes:
    """RIFF header and first chunk (RFC 9649, 2.4 to 2.7)."""
    content = {
        "VP8 ": b"\x30\1\0\x9d\1\x2a" + struct.pack("<HH", width, height),
        "VP8L": b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14),
        "VP8X": bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little"),
    }[kind]
    chunk = kind.encode() + struct.pack("<I", len(content)) + content
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk


def bomb() -> bytes:
    """A true PNG of 19,000 by 19,000 pixels in 44 kB."""
    line = zlib.compressobj(9)
    packed = b"".join(line.compress(bytes(2_376)) for _ in range(19_000)) + line.flush()

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 19_000, 19_000, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
