"""Recordings: how long they are, by what their container says. Nothing is decoded.

The figure is what a transcription is reserved for, and what decides whether one is too long. It is the sender's own claim, so it is never
less than what so many bytes take at the highest rate of their kind; where a container says nothing, it is what they take at the lowest.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Final

from supervisor_worker.media.readers.extract import BoundedText, Extras

SLOWEST: Final = 600
"""Bytes a second of the slowest codec that phones record with (AMR at 4.75 kbit/s)."""
FASTEST: Final = 40_000
"""Bytes a second of a compressed recording at its fastest (320 kbit/s)."""
FASTEST_PLAIN: Final = 400_000
"""Bytes a second of samples as they are, or packed without loss."""
MAX_SECONDS: Final = 1_000_000

_AMR: Final = (12, 13, 15, 17, 19, 20, 26, 31, 5)
_AMR_WIDE: Final = (17, 23, 32, 36, 40, 46, 50, 58, 60, 5)
_FRAMES_A_SECOND: Final = 50
_MOST_FRAMES: Final = 1_000_000
"""Five hours, longer than what may be heard: frames may be of a byte each, and counting them must end."""
_OPUS_RATE: Final = 48_000
_MP3_KBITS: Final = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Of layer III, by the two bits of the version: MPEG 1, and MPEG 2 with 2.5."""
_MP3_RATES: Final = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_MP3_SAMPLES: Final = {3: 1_152, 2: 576, 0: 576}
_MP3_FRAME: Final = re.compile(rb"\xff[\xe2-\xe3\xf2-\xf3\xfa-\xfb]")
_SEARCHED: Final = 65_536
_LAST_PAGE: Final = 65_307
"""The longest page of Ogg."""


def read(content: bytes, charset: str, text: BoundedText) -> Extras:
    """How long it is, in whole seconds; there is no text."""
    del charset, text
    return Extras(seconds=seconds_of(content))


def seconds_of(content: bytes) -> int:
    """The seconds of a recording, rounded up; an upper bound where its container does not say."""
    for beginning, find, fastest in _CONTAINERS:
        if re.match(beginning, content, re.DOTALL):
            found = find(content)
            if found is not None and 0 < found < MAX_SECONDS:
                return math.ceil(max(found, len(content) / fastest))
    return min(MAX_SECONDS, math.ceil(len(content) / SLOWEST))


def _wave(content: bytes) -> float | None:
    """Bytes of samples, by the bytes a second of the format."""
    form, data = content.find(b"fmt ", 12, _SEARCHED), content.find(b"data", 12, _SEARCHED)
    rate = int.from_bytes(content[form + 16 : form + 20], "little") if form > 0 else 0
    return (len(content) - data - 8) / rate if data > 0 and rate else None


def _flac(content: bytes) -> float | None:
    """Samples and their rate, of the block that comes first."""
    bits = int.from_bytes(content[18:26])
    rate, samples = bits >> 44, bits & 0xFFFFFFFFF
    return samples / rate if rate and samples else None


def _iso(content: bytes) -> float | None:
    """The duration of the movie header (ISO 14496-12, 8.2.2), of M4A, 3GP and MP4."""
    at = content.find(b"mvhd")
    if at < 0:
        return None
    wide = content[at + 4 : at + 5] == b"\1"
    scale_at, size = (at + 24, 8) if wide else (at + 16, 4)
    scale, duration = (int.from_bytes(content[start : start + length]) for start, length in ((scale_at, 4), (scale_at + 4, size)))
    return duration / scale if scale else None


def _ogg(content: bytes) -> float | None:
    """The last page's position, in samples: of Opus always at 48 kHz, of Vorbis at the rate of its head."""
    last = content.rfind(b"OggS", max(0, len(content) - _LAST_PAGE))
    position = int.from_bytes(content[last + 6 : last + 14], "little")
    vorbis = content.find(b"\1vorbis", 0, _SEARCHED)
    rate = int.from_bytes(content[vorbis + 12 : vorbis + 16], "little") if vorbis > 0 else _OPUS_RATE
    return position / rate if rate else None


def _amr(content: bytes) -> float | None:
    """The frames of 20 ms, each with its own length (RFC 4867, 5)."""
    wide = content.startswith(b"#!AMR-WB\n")
    lengths, at, frames = (_AMR_WIDE, 9, 0) if wide else (_AMR, 6, 0)
    while at < len(content) and frames < _MOST_FRAMES:
        kind = content[at] >> 3 & 15
        at += 1 + (lengths[kind] if kind < len(lengths) else 0)
        frames += 1
    return frames / _FRAMES_A_SECOND


def _mp3(content: bytes) -> float | None:
    """By the count of frames where an encoder wrote it, else by the first frame's rate."""
    frame = _MP3_FRAME.search(content, _after_tag(content), _after_tag(content) + _SEARCHED)
    if frame is None:
        return None
    at = frame.start()
    version, rates, bits = content[at + 1] >> 3 & 3, content[at + 2] >> 2 & 3, content[at + 2] >> 4
    kbits = _MP3_KBITS[3 if version == 3 else 2]  # noqa: PLR2004 - MPEG 1
    if version not in _MP3_RATES or rates >= len(_MP3_RATES[version]) or bits >= len(kbits):
        return None
    counted = max(content.find(b"Xing", at, at + 200), content.find(b"Info", at, at + 200))
    if counted > 0 and content[counted + 7 : counted + 8] and content[counted + 7] & 1:
        return int.from_bytes(content[counted + 8 : counted + 12]) * _MP3_SAMPLES[version] / _MP3_RATES[version][rates]
    return (len(content) - at) / (kbits[bits] * 125) if kbits[bits] else None


def _after_tag(content: bytes) -> int:
    """Where the sound begins behind an ID3 tag, whose length is four times seven bits."""
    if not content.startswith(b"ID3"):
        return 0
    size = 0
    for part in content[6:10]:
        size = size << 7 | part & 127
    return 10 + size


_CONTAINERS: Final[tuple[tuple[bytes, Callable[[bytes], float | None], int], ...]] = (
    (rb"RIFF....WAVE", _wave, FASTEST_PLAIN),
    (rb"fLaC", _flac, FASTEST_PLAIN),
    (rb"....ftyp", _iso, FASTEST_PLAIN),  # it may hold samples as they are
    (rb"OggS", _ogg, FASTEST),
    (rb"#!AMR", _amr, FASTEST),
    (rb"ID3|\xff[\xe2-\xe3\xf2-\xf3\xfa-\xfb]", _mp3, FASTEST),
)
