"""The fixed notices."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from supervisor_worker.assistant import notices

NOW = datetime(2026, 12, 2, 1, 0, tzinfo=ZoneInfo("America/Indiana/Indianapolis"))  # a Wednesday: the longest of both


def test_every_notice_fits_into_one_plain_segment() -> None:
    """ASCII, 160 characters, and an unknown code has a sentence too."""
    for text in [*(notices.notice(code, NOW) for code in notices.NOTICES), notices.REFUSED, notices.notice("from-the-future", NOW)]:
        assert text.isascii()
        assert len(text) <= 160
        assert "{" not in text


def test_who_waits_for_tomorrow_reads_when_it_goes_on_by_their_own_clock() -> None:
    """Weekday, time and zone."""
    assert "on Wednesday from 01:00 (America/Indiana/Indianapolis)" in notices.notice("waits_share", NOW)
