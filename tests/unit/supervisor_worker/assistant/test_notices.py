"""The fixed notices."""

from __future__ import annotations

import re
from datetime import datetime
from typing import get_args
from zoneinfo import ZoneInfo

from shared.config.keyword_settings import STOP_ALWAYS
from shared.model.heard import HearingFault
from supervisor_worker.assistant import notices

NOW = datetime(2026, 12, 2, 1, 0, tzinfo=ZoneInfo("America/Indiana/Indianapolis"))  # a Wednesday: the longest of both


def test_every_notice_fits_into_one_plain_segment() -> None:
    """ASCII, 160 characters, and an unknown code has a sentence too."""
    others = [notices.REFUSED, notices.notice("from-the-future", NOW), *notices.UNHEARD.values(), *notices.FORWARDED_UNHEARD.values()]
    for text in [*(notices.notice(code, NOW) for code in notices.NOTICES), *others]:
        assert text.isascii()
        assert len(text) <= 160
        assert "{" not in text


def test_each_reason_why_a_recording_was_not_heard_has_a_sentence() -> None:
    """And none of them is more than a sentence or two, or offers a word that opts out."""
    assert set(notices.UNHEARD) == set(notices.FORWARDED_UNHEARD) == set(get_args(HearingFault))
    for text in [*notices.UNHEARD.values(), *notices.FORWARDED_UNHEARD.values()]:
        assert not set(re.findall(r"[a-z]+", text.lower())) & {*STOP_ALWAYS, "cancel", "end", "quit"}


def test_who_waits_for_tomorrow_reads_when_it_goes_on_by_their_own_clock() -> None:
    """Weekday, time and zone."""
    assert "on Wednesday from 01:00 (America/Indiana/Indianapolis)" in notices.notice("waits_share", NOW)
