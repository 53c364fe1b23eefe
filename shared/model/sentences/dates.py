"""Dates and times as they stand within a sentence, and what repeats. Pure."""

from __future__ import annotations

from typing import Final

from shared.model.sentences.languages import ByLanguage, Sentence

WEEKDAYS: Final[ByLanguage[tuple[str, ...]]] = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "de": ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
}
MONTHS: Final[ByLanguage[tuple[str, ...]]] = {
    "en": (
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
    ),
    "de": (
        "Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember",
    ),
}  # fmt: skip

SENTENCES: Final[dict[str, Sentence]] = {
    "date": {"en": "{day} {month}", "de": "{day}. {month}"},
    "date_and_time": {"en": "{day} {month}, {time}", "de": "{day}. {month}, {time} Uhr"},
    "date_in_year": {"en": "{date} {year}", "de": "{date} {year}"},
    "date_in_year_and_time": {"en": "{date}, {time}", "de": "{date}, {time} Uhr"},
    "weekday_and_date": {"en": "{weekday}, {date}", "de": "{weekday}, {date}"},
    "from_when": {"en": "on {weekday} from {time} ({zone})", "de": "am {weekday} ab {time} Uhr ({zone})"},
    # What repeats.
    "repeated": {"en": "{rule}, next on {when}", "de": "{rule}, das nächste Mal am {when}"},
    "every_daily": {"en": "every day", "de": "täglich"},
    "every_weekdays": {"en": "Monday to Friday", "de": "Montag bis Freitag"},
    "every_weekly": {"en": "every {days}", "de": "jeden {days}"},
    "every_monthly": {"en": "every month on day {day}", "de": "monatlich am {day}."},
    "every_yearly": {"en": "every year", "de": "jedes Jahr"},
    "until": {"en": "{rule} until {date}", "de": "{rule} bis zum {date}"},
    "and": {"en": "{first} and {last}", "de": "{first} und {last}"},
}
