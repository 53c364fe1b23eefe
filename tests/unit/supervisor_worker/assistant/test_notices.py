"""The fixed notices."""

from __future__ import annotations

from datetime import datetime
from typing import get_args
from zoneinfo import ZoneInfo

from shared.model.heard import HearingFault
from shared.model.sms_segments import fits_gsm, size
from shared.model.words import LANGUAGES, WORDS, said
from supervisor_worker.assistant import notices

NOW = datetime(2026, 12, 3, 1, 0, tzinfo=ZoneInfo("America/Indiana/Indianapolis"))  # a Thursday: the longest of all


def others(language: str) -> list[str]:
    """Sentences that are no notices by code: a refusal, and the end of a month's money in the longest month."""
    return [
        said(notices.REFUSED, language),
        *(notices.month_over(whose, NOW.replace(month=8), language) for whose in ("month", "own_month")),
    ]


def test_every_notice_fits_into_one_plain_segment_or_two_of_letters_beyond_gsm() -> None:
    """160 characters of the GSM alphabet, or 134 of others; an unknown code has a sentence too."""
    for language in LANGUAGES:
        assert notices.notice("from-the-future", NOW, language) == said("error", language)
        for text in [*(notices.notice(code, NOW, language) for code in notices.NOTICES), *others(language)]:
            assert size(text).segments <= (1 if fits_gsm(text) else 2), text
            assert "{" not in text


def test_each_reason_why_a_recording_was_not_heard_has_a_sentence() -> None:
    """Short enough for a text, in the order of the reasons."""
    for kind in ("unheard", "forwarded"):
        named = {name.removeprefix(f"{kind}_") for name in WORDS if name.startswith(f"{kind}_")}
        assert set(get_args(HearingFault)) <= named
        for language in LANGUAGES:
            told = [notices.unheard({fault}, language, forwarded=kind == "forwarded") for fault in get_args(HearingFault)]
            assert all(size(text).segments <= (1 if fits_gsm(text) else 2) for text in told)
    both = f"{said('unheard_not_heard')} {said('unheard_too_long')}"
    assert notices.unheard({"too_long", "not_heard", ""}, "en") == both
    assert notices.unheard({""}, "en") == ""


def test_who_waits_for_tomorrow_reads_when_it_goes_on_by_their_own_clock_in_their_own_language() -> None:
    """Weekday, time and zone."""
    assert "on Thursday from 01:00 (America/Indiana/Indianapolis)" in notices.notice("waits_share", NOW, "en")
    assert "am Donnerstag ab 01:00 Uhr (America/Indiana/Indianapolis)" in notices.notice("waits_share", NOW, "de")


def test_whose_month_is_over_reads_when_the_next_one_begins() -> None:
    """On its first day by the clock that is given, also at the end of a year and of a short month."""
    for now, day in ((datetime(2026, 12, 31, 23), "1 January"), (datetime(2027, 1, 31), "1 February"), (datetime(2027, 2, 1), "1 March")):  # noqa: DTZ001
        assert f"until {day}." in notices.month_over("own_month", now, "en")
