"""How long a recording is: as its container says, at least what its bytes take, and at most what they can take."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from supervisor_worker.media.readers import kinds
from supervisor_worker.media.readers.extract import BoundedText
from supervisor_worker.media.readers.sounds import FASTEST, MAX_SECONDS, SLOWEST, read, seconds_of
from tests.payloads import sounds

MAKERS: Final[dict[str, Callable[[int], bytes]]] = {
    "AMR": sounds.amr,
    "AMR-WB": sounds.amr_wide,
    "WAV": sounds.wav,
    "M4A": sounds.m4a,
    "M4A, 64 bits": partial(sounds.m4a, wide=True),
    "3GP": partial(sounds.m4a, brand=b"3gp4"),
    "Ogg with Opus": sounds.opus,
    "MP3": sounds.mp3,
    "MP3 with a tag": partial(sounds.mp3, tag=True),
    "MP3 of a variable rate": partial(sounds.mp3, counted=True),
    "FLAC": sounds.flac,
}


def test_the_length_of_each_kind_is_read() -> None:
    """To a second, of short ones and of long ones; each is known as a recording."""
    for name, made in MAKERS.items():
        for seconds in (2, 61):
            content = made(seconds)
            assert abs(seconds_of(content) - seconds) <= 1, name
            assert kinds.kind_of(content, "", "audio/x-any") == kinds.VOICE, name
    assert read(sounds.amr(3), "", BoundedText()).seconds == 3


def test_who_says_less_than_the_bytes_take_is_not_believed() -> None:
    """And what says nothing counts as the slowest kind."""
    assert seconds_of(sounds.opus(1)[:-22] + bytes(50 * FASTEST) + sounds.opus(1)[-28:]) >= 50
    for unknown in (b"OggS", sounds.m4a(0) + bytes(6_000), b"caff" + bytes(6_000), bytes(6_000), b"\xff\xfb\xff\xff" + bytes(6_000)):
        assert seconds_of(unknown) == math.ceil(len(unknown) / SLOWEST)


@given(st.sampled_from([b"", *(made(1)[:60] for made in MAKERS.values())]), st.binary(max_size=300))
def test_any_bytes_have_a_length(beginning: bytes, rest: bytes) -> None:
    """However broken they are."""
    assert 0 <= seconds_of(beginning + rest) <= MAX_SECONDS
