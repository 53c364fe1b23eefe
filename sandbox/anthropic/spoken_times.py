"""Finds in a sentence when something is to happen, in English and German: "in 20 minutes", "tomorrow at 9", "jeden Montag um 8"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final

from sandbox.anthropic.moments import MONTHS

DAYS: Final = (("monday", "montag"), ("tuesday", "dienstag"), ("wednesday", "mittwoch"), ("thursday", "donnerstag"))
WEEKDAYS: Final = (*DAYS, ("friday", "freitag"), ("saturday", "samstag"), ("sunday", "sonntag"))
_ENGLISH: Final = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_GERMAN: Final = ("eins", "zwei", "drei", "vier", "f\u00fcnf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zw\u00f6lf")
NUMBERS: Final = {word: number for words in (_ENGLISH, _GERMAN) for number, word in enumerate(words, 1)}
MINUTES: Final = {"m": 1, "h": 60, "s": 60, "d": 24 * 60, "t": 24 * 60, "w": 7 * 24 * 60}
"""Of a unit of time, by its first letter: minute, hour, Stunde, day, Tag, week."""
MORNING, NOON, AFTERNOON, EVENING = time(9), time(12), time(15), time(19)
PARTS: Final = {
    "in the morning": MORNING,
    "morning": MORNING,
    "afternoon": AFTERNOON,
    "evening": EVENING,
    "this afternoon": AFTERNOON,
    "in the afternoon": AFTERNOON,
    "in the evening": EVENING,
    "this evening": EVENING,
    "tonight": EVENING,
    "at noon": NOON,
    "mittags": NOON,
    "nachmittags": AFTERNOON,
    "nachmittag": AFTERNOON,
    "abends": EVENING,
    "abend": EVENING,
    "fr\u00fch": MORNING,
}
_NAMES: Final = "|".join(name for names in WEEKDAYS for name in names)
_COUNT: Final = r"(?:\d+(?:[.,]\d+)?|an?|eine[rmn]?|" + "|".join(NUMBERS) + ")"
_UNIT: Final = r"(?:min(?:ute)?[sn]?\b|hours?\b|hrs?\b|days?\b|weeks?\b|stunden?\b|tag(?:en)?\b|wochen?\b)"
RELATIVE: Final = re.compile(rf"\bin ({_COUNT}) ({_UNIT})", re.IGNORECASE)
HALF: Final = re.compile(r"\bin (?:half an hour|einer halben stunde)\b", re.IGNORECASE)
REPEAT: Final = re.compile(
    rf"\b(?:every|each|jeden|jede) (day|tag|weekday|werktag|month|monat|year|jahr|{_NAMES})\b|\b(daily|t\u00e4glich|werktags)\b",
    re.IGNORECASE,
)
DAY: Final = re.compile(
    rf"\b(the day after tomorrow|\u00fcbermorgen|tomorrow|morgen|today|heute|(?:on |next |am |n\u00e4chsten |this )({_NAMES}))\b",
    re.IGNORECASE,
)
DATE: Final = re.compile(
    r"\b(?:on|am) (?:the )?(\d{1,2})(?:st|nd|rd|th|\.)? ?(?:of )?([A-Za-z\u00e4]{3,9}|\d{1,2}\.)(?: ?(\d{4}))?(?!\w)", re.IGNORECASE
)
CLOCK: Final = re.compile(
    rf"\b(?:at|um) (\d{{1,2}}|{'|'.join(NUMBERS)})(?:[:.](\d\d))?(?: ?(am|pm|a\.m\.|p\.m\.|uhr))?(?!\w)"
    r"|\b(\d{1,2})(?::(\d\d))? ?(am|pm)\b",
    re.IGNORECASE,
)
PART: Final = re.compile(rf"\b(?:{'|'.join(sorted(PARTS, key=len, reverse=True))})\b", re.IGNORECASE)
EVERY: Final = {"d": "daily", "t": "daily", "w": "weekdays", "m": "monthly", "y": "yearly", "j": "yearly"}
HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class SpokenTime:
    """When: so many minutes from now, or at a local time; what repeats says how often, and a weekly one on which day (0 is Monday)."""

    in_minutes: int | None = None
    at: datetime | None = None
    every: str | None = None
    weekday: int | None = None


def find(sentence: str, now: datetime) -> tuple[SpokenTime | None, str]:
    """The time that a sentence names, None if it names none, and the sentence without it."""
    for pattern in (HALF, RELATIVE):
        if (found := pattern.search(sentence)) is not None:
            minutes = 30 if pattern is HALF else round(_count(found[1]) * MINUTES[found[2][0].lower()])
            return SpokenTime(in_minutes=max(minutes, 1)), _without(sentence, found)
    every, sentence = _taken(REPEAT, sentence)
    day, sentence = _taken(DAY, sentence)
    date, sentence = (None, sentence) if day else _taken(DATE, sentence)
    clock, sentence = _taken(CLOCK, sentence)
    part, sentence = _taken(PART, sentence)
    if not (every or day or date or clock or part):
        return None, sentence
    hour = _hour(clock, part)
    if hour is None:
        return None, sentence
    word = next(word for word in every.groups() if word).lower() if every else ""
    weekday = _weekday(word)
    if not (every or day or date or part) and _is_bare(clock) and _soon(now, hour) != hour:
        return SpokenTime(at=datetime.combine(now.date(), _soon(now, hour))), sentence
    start = _date(now, date, hour) if date else _day(now, day, weekday, hour)
    if start is None:
        return None, sentence
    return SpokenTime(at=start, every=_every(word, weekday), weekday=weekday), sentence


def _taken(pattern: re.Pattern[str], sentence: str) -> tuple[re.Match[str] | None, str]:
    found = pattern.search(sentence)
    return found, _without(sentence, found) if found else sentence


def _without(sentence: str, found: re.Match[str]) -> str:
    return " ".join(f"{sentence[: found.start()]} {sentence[found.end() :]}".split())


def _count(word: str) -> float:
    return NUMBERS.get(word.lower(), 1) if not word[0].isdigit() else float(word.replace(",", "."))


def _hour(clock: re.Match[str] | None, part: re.Match[str] | None) -> time | None:
    """The time of day; None for one that does not exist."""
    about = PARTS[part[0].lower()] if part else MORNING
    if clock is None:
        return about
    hour, minute, half = (clock[1], clock[2], clock[3]) if clock[1] else (clock[4], clock[5], clock[6])
    number, half = round(_count(hour)), (half or "").lower()
    after_noon = half.startswith("p") or (not half.startswith("a") and part is not None and about >= NOON)
    if after_noon and number < NOON.hour:
        number += NOON.hour
    if half.startswith("a") and number == NOON.hour:
        number = 0
    return time(number, int(minute or 0)) if number < HOURS and int(minute or 0) < MINUTES["h"] else None


def _is_bare(clock: re.Match[str] | None) -> bool:
    """Whether nothing says which half of the day is meant: at 5, and not at 05:00 or at 5 pm."""
    return clock is not None and clock[1] is not None and not clock[1].startswith("0") and not clock[2] and not clock[3]


def _soon(now: datetime, hour: time) -> time:
    """This afternoon's, where the hour has passed this morning and not this afternoon: at three in the afternoon 5 is 17:00."""
    later = hour.replace(hour=hour.hour + NOON.hour) if hour < NOON else hour
    return later if hour <= now.time() < later else hour


def _weekday(word: str) -> int | None:
    return next((number for number, names in enumerate(WEEKDAYS) if word in names), None)


def _every(word: str, weekday: int | None) -> str | None:
    if not word:
        return None
    return "weekly" if weekday is not None else "weekdays" if word.startswith("werktag") else EVERY[word[0]]


def _day(now: datetime, day: re.Match[str] | None, repeated: int | None, hour: time) -> datetime:
    """The day that is named, else the next one that has this time of day before it."""
    word = day[1].lower() if day else ""
    weekday = _weekday(day[2].lower()) if day and day[2] else repeated
    if "morgen" in word or "tomorrow" in word:
        days = 2 if word.startswith(("the", "\u00fcber")) else 1
        return datetime.combine(now.date() + timedelta(days=days), hour)
    start = datetime.combine(now.date(), hour)
    if weekday is not None:
        start += timedelta(days=(weekday - now.weekday()) % 7)
        return start if start > now else start + timedelta(days=7)
    return start if start > now or word in {"today", "heute"} else start + timedelta(days=1)


def _date(now: datetime, found: re.Match[str], hour: time) -> datetime | None:
    """A date; the next one of its name where it has no year. None for one that does not exist."""
    month = int(found[2].rstrip(".")) if found[2][0].isdigit() else MONTHS.get(found[2][:3].lower(), 0)
    try:
        start = datetime.combine(datetime(int(found[3] or now.year), month, int(found[1])), hour)  # noqa: DTZ001 - local
        return start if found[3] or start > now else start.replace(year=start.year + 1)
    except ValueError:
        return None
