"""Dates and times as they stand within a sentence, and what repeats. Pure.

The clock has 24 hours and is written 09:05 in every language: what phones there show, also where print has 9 h 05 or 9.05.
"""

from __future__ import annotations

from typing import Final

from shared.model.sentences.languages import ByLanguage, Sentence

WEEKDAYS: Final[ByLanguage[tuple[str, ...]]] = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "de": ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
    "es": ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
    "fr": ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
    "pt": ("segunda-feira", "terça-feira", "quarta-feira", "quinta-feira", "sexta-feira", "sábado", "domingo"),
    "it": ("lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato", "domenica"),
    "nl": ("maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag", "zondag"),
}
EACH_WEEK: Final[ByLanguage[tuple[str, ...]]] = {
    **WEEKDAYS,
    "fr": tuple(f"le {day}" for day in WEEKDAYS["fr"]),
    "pt": tuple(f"{'todo' if day.endswith('o') else 'toda'} {day}" for day in WEEKDAYS["pt"]),
}
"""A day on which something is each week, as `every_weekly` names it."""
MONTHS: Final[ByLanguage[tuple[str, ...]]] = {
    "en": (
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
    ),
    "de": (
        "Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember",
    ),
    "es": (
        "enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre",
    ),
    "fr": (
        "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre",
    ),
    "pt": (
        "janeiro", "fevereiro", "março", "abril", "maio", "junho", "julho", "agosto", "setembro", "outubro", "novembro", "dezembro",
    ),
    "it": (
        "gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno", "luglio", "agosto", "settembre", "ottobre", "novembre", "dicembre",
    ),
    "nl": (
        "januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus", "september", "oktober", "november", "december",
    ),
}  # fmt: skip
SENTENCES: Final[dict[str, Sentence]] = {
    "date": {
        "en": "{day} {month}",
        "de": "{day}. {month}",
        "es": "{day} de {month}",
        "fr": "{day} {month}",
        "pt": "{day} de {month}",
        "it": "{day} {month}",
        "nl": "{day} {month}",
    },
    "first_of_month": {
        "en": "1",
        "de": "1",
        "es": "1",
        "fr": "1er",
        "pt": "1º",
        "it": "1",
        "nl": "1",
    },
    "date_and_time": {
        "en": "{date}, {time}",
        "de": "{date}, {time} Uhr",
        "es": "{date}, {time}",
        "fr": "{date}, {time}",
        "pt": "{date}, {time}",
        "it": "{date}, {time}",
        "nl": "{date}, {time}",
    },
    "date_in_year": {
        "en": "{date} {year}",
        "de": "{date} {year}",
        "es": "{date} de {year}",
        "fr": "{date} {year}",
        "pt": "{date} de {year}",
        "it": "{date} {year}",
        "nl": "{date} {year}",
    },
    "weekday_and_date": {
        "en": "{weekday}, {date}",
        "de": "{weekday}, {date}",
        "es": "{weekday} {date}",
        "fr": "{weekday} {date}",
        "pt": "{weekday}, {date}",
        "it": "{weekday} {date}",
        "nl": "{weekday} {date}",
    },
    "from_when": {
        "en": "on {weekday} from {time} ({zone})",
        "de": "am {weekday} ab {time} Uhr ({zone})",
        "es": "el {weekday} a partir de las {time} ({zone})",
        "fr": "{weekday} à partir de {time} ({zone})",
        "pt": "{weekday} a partir das {time} ({zone})",
        "it": "{weekday} dalle ore {time} ({zone})",
        "nl": "{weekday} vanaf {time} ({zone})",
    },
    "from_when_at_one": {
        "en": "on {weekday} from {time} ({zone})",
        "de": "am {weekday} ab {time} Uhr ({zone})",
        "es": "el {weekday} a partir de la {time} ({zone})",
        "fr": "{weekday} à partir de {time} ({zone})",
        "pt": "{weekday} a partir da {time} ({zone})",
        "it": "{weekday} dalle ore {time} ({zone})",
        "nl": "{weekday} vanaf {time} ({zone})",
    },
    # What repeats.
    "repeated": {
        "en": "{rule}, next on {when}",
        "de": "{rule}, das nächste Mal am {when}",
        "es": "{rule}, la siguiente vez el {when}",
        "fr": "{rule}, la prochaine fois le {when}",
        "pt": "{rule}, próxima vez: {when}",
        "it": "{rule}, la prossima volta {when}",
        "nl": "{rule}, de volgende keer op {when}",
    },
    "every_daily": {
        "en": "every day",
        "de": "täglich",
        "es": "a diario",
        "fr": "tous les jours",
        "pt": "todos os dias",
        "it": "ogni giorno",
        "nl": "elke dag",
    },
    "every_weekdays": {
        "en": "Monday to Friday",
        "de": "Montag bis Freitag",
        "es": "de lunes a viernes",
        "fr": "du lundi au vendredi",
        "pt": "de segunda a sexta",
        "it": "dal lunedì al venerdì",
        "nl": "maandag tot en met vrijdag",
    },
    "every_weekly": {
        "en": "every {days}",
        "de": "jeden {days}",
        "es": "cada {days}",
        "fr": "{days}",
        "pt": "{days}",
        "it": "ogni {days}",
        "nl": "elke {days}",
    },
    "every_monthly": {
        "en": "every month on day {day}",
        "de": "monatlich am {day}.",
        "es": "cada {day} de mes",
        "fr": "tous les mois le {day}",
        "pt": "todo mês, dia {day}",
        "it": "ogni mese il giorno {day}",
        "nl": "elke maand op de {day}e",
    },
    "every_yearly": {
        "en": "every year",
        "de": "jedes Jahr",
        "es": "cada año",
        "fr": "tous les ans",
        "pt": "todos os anos",
        "it": "ogni anno",
        "nl": "elk jaar",
    },
    "until": {
        "en": "{rule} until {date}",
        "de": "{rule} bis zum {date}",
        "es": "{rule} hasta el {date}",
        "fr": "{rule} jusqu'au {date}",
        "pt": "{rule} até {date}",
        "it": "{rule} fino al giorno {date}",
        "nl": "{rule} tot en met {date}",
    },
    "and": {
        "en": "{first} and {last}",
        "de": "{first} und {last}",
        "es": "{first} y {last}",
        "fr": "{first} et {last}",
        "pt": "{first} e {last}",
        "it": "{first} e {last}",
        "nl": "{first} en {last}",
    },
}
