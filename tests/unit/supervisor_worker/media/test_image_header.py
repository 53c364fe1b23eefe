"""What is a picture: told by the first bytes, measured by the header, and never decoded."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor_worker.media.image_header import MAX_BYTES, NotAPicture, read_picture
from tests.payloads.pictures import bomb, gif, jpeg, png, webp

MAKERS = {"image/png": png, "image/gif": gif, "image/jpeg": jpeg, "image/webp": webp}
sizes = st.integers(1, 2_800)


@pytest.mark.parametrize("kind", MAKERS)
@given(width=sizes, height=sizes)
def test_a_picture_is_measured_by_its_header(kind: str, width: int, height: int) -> None:
    """All four kinds that the model takes; the bytes go along as they are."""
    data = MAKERS[kind](width, height)
    found = read_picture(data)
    assert (found.media_type, found.width, found.height) == (kind, width, height)
    assert base64.b64decode(found.data) == data


@pytest.mark.parametrize("lossy", ["VP8 ", "VP8L", "VP8X"])
def test_each_kind_of_webp_is_measured(lossy: str) -> None:
    """Lossy, lossless, and with a canvas."""
    found = read_picture(webp(1_234, 567, lossy))
    assert (found.width, found.height) == (1_234, 567)


@pytest.mark.parametrize("marker", [0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xCF])
def test_each_kind_of_jpeg_frame_is_measured_behind_what_stands_before_it(marker: int) -> None:
    """Baseline, progressive and the rest, behind an application's segment, fill bytes and a Huffman table."""
    before = b"\xff\xe1\x00\x08EXIF\0\0" + b"\xff\xff\xff\xc4\x00\x04\xff\xc0"
    found = read_picture(jpeg(640, 480, marker, before))
    assert (found.width, found.height) == (640, 480)


WRONG = {
    "nothing": (b"", "not_a_picture"),
    "a page": (b"<html><img src=x></html>", "not_a_picture"),
    "a drawing with a script in it": (b"<svg onload=alert(1)>", "not_a_picture"),
    "an archive": (b"PK\x03\x04" + bytes(100), "not_a_picture"),
    "a document": (b"%PDF-1.7", "not_a_picture"),
    "HEIC": (b"\0\0\0\x18ftypheic", "not_a_picture"),
    "another RIFF": (b"RIFF\0\0\0\0WAVEfmt ", "not_a_picture"),
    "half a header": (png(10, 10)[:20], "no_size"),
    "no width": (png(0, 10), "no_size"),
    "a JPEG that never says its size": (b"\xff\xd8" + b"\xff\xe0\x00\x10" + bytes(14) + b"\xff\xda", "no_size"),
    "nine megapixels": (png(3_000, 3_000), "too_many_pixels"),
    "a long side": (png(8_001, 10), "too_many_pixels"),
    "the largest JPEG": (jpeg(65_535, 65_535), "too_many_pixels"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_picture_or_too_large_a_one_is_not_shown(name: str) -> None:
    """Each for its own reason."""
    data, reason = WRONG[name]
    with pytest.raises(NotAPicture) as caught:
        read_picture(data)
    assert str(caught.value) == reason


def test_a_small_file_that_unpacks_to_a_gigabyte_is_refused_by_its_header() -> None:
    """361 megapixels."""
    data = bomb()
    assert 40_000 < len(data) < 50_000
    with pytest.raises(NotAPicture, match="too_many_pixels"):
        read_picture(data)


def test_the_limit_is_anthropics_and_counts_base64() -> None:
    """One byte more would be refused with the whole question."""
    assert len(read_picture(png(10, 10).ljust(MAX_BYTES, b"\0")).data) == 5 * 1024 * 1024
    with pytest.raises(NotAPicture, match="too_large"):
        read_picture(png(10, 10).ljust(MAX_BYTES + 1, b"\0"))


@pytest.mark.parametrize(
    ("width", "height", "tokens"), [(1, 1, 1), (750, 100, 100), (751, 1, 2), (1_000, 1_000, 1_334), (2_800, 2_800, 1_600)]
)
def test_a_picture_is_counted_as_the_model_charges_for_it(width: int, height: int, tokens: int) -> None:
    """A token for 750 pixels; larger ones are scaled down first."""
    assert read_picture(png(width, height)).tokens == tokens


beginnings = st.sampled_from([b"", *(make(64, 64)[:cut] for make in MAKERS.values() for cut in (8, 12, 16, 20, 30))])


@given(beginnings, st.binary(max_size=200))
def test_any_bytes_are_a_picture_or_are_not(start: bytes, rest: bytes) -> None:
    """No other exception, and never one beyond the limits."""
    try:
        found = read_picture(start + rest)
    except NotAPicture:
        return
    assert 0 < found.width * found.height <= 8_000_000


@pytest.mark.parametrize("filler", [b"\xff", b"\xff\xd0", b"\xff\xe0\x00\x02", b"\xff\xe0\x00\x00"])
def test_a_jpeg_without_end_is_given_up_after_so_many_segments(filler: bytes) -> None:
    """Four megabytes of fill bytes, or of empty segments, are not walked through: that would stop all other turns."""
    data = (b"\xff\xd8\xff\xe0\x00\x02" + filler * (MAX_BYTES // len(filler)))[: MAX_BYTES - 100] + jpeg(10, 10)[2:]
    with pytest.raises(NotAPicture, match="no_size"):
        read_picture(data)
