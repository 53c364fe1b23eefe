"""Recordings as phones and programs make them, of silence and of a known length."""

from __future__ import annotations

import io
import wave


def amr(seconds: int) -> bytes:
    """AMR at its fastest: 50 frames of 32 bytes a second."""
    return b"#!AMR\n" + (b"\x3c" + bytes(31)) * (50 * seconds)


def amr_wide(seconds: int) -> bytes:
    """AMR-WB at its slowest: 50 frames of 18 bytes."""
    return b"#!AMR-WB\n" + (b"\x04" + bytes(17)) * (50 * seconds)


def wav(seconds: int) -> bytes:
    """Samples as they are."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8_000)
        sound.writeframes(bytes(16_000 * seconds))
    return file.getvalue()


def m4a(seconds: int, *, wide: bool = False, brand: bytes = b"M4A ", sound: int = 4_000) -> bytes:
    """A movie header, and as many bytes of sound a second."""
    times = (bytes(16), seconds * 1_000, 8) if wide else (bytes(8), seconds * 1_000, 4)
    head = b"mvhd" + bytes([wide, 0, 0, 0]) + times[0] + (1_000).to_bytes(4) + times[1].to_bytes(times[2]) + bytes(80)
    return (16).to_bytes(4) + b"ftyp" + brand + bytes(4) + (len(head) + 4).to_bytes(4) + head + b"\0\0\0\0mdat" + bytes(sound * seconds)


def opus(seconds: int) -> bytes:
    """Two pages of Ogg, the last with the position at the end."""
    first = b"OggS\0\2" + bytes(8) + bytes(13) + b"OpusHead" + bytes(11)
    return first + bytes(1_000 * seconds) + b"OggS\0\4" + (48_000 * seconds).to_bytes(8, "little") + bytes(14)


def mp3(seconds: int, *, counted: bool = False, tag: bool = False) -> bytes:
    """MPEG 1, layer III at 32 kbit/s and 32 kHz; with the count of frames that a variable rate needs, or a tag before it."""
    frames = 32_000 * seconds // 1_152
    info = b"Xing\0\0\0\1" + frames.to_bytes(4) if counted else b""
    sound = b"\xff\xfb\x18\0" + bytes(32) + info
    before = b"ID3\4\0\0\0\0\1\0" + bytes(128) if tag else b""
    return before + sound.ljust((1_000 if counted else 4_000) * seconds, b"\0")


def flac(seconds: int) -> bytes:
    """The block with rate and number of samples."""
    figures = (8_000 << 44 | 15 << 36 | 8_000 * seconds).to_bytes(8)
    return b"fLaC\0\0\0\x22" + bytes(10) + figures + bytes(5_000 * seconds)
