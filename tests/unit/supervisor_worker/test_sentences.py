"""The fixed sentences."""

from __future__ import annotations

from supervisor_worker import sentences


def test_every_notice_fits_into_one_plain_segment() -> None:
    """ASCII, 160 characters, and an unknown code has a sentence too."""
    for text in [*sentences.NOTICES.values(), sentences.REFUSED, sentences.notice("from-the-future")]:
        assert text.isascii()
        assert len(text) <= 160
