"""How people write a day and a time of day, by which a sentence of the model's is compared with what was stored. Pure.

A pattern is for the words of a sentence between blanks, in small letters and without punctuation. `{day}`, `{month}`, `{hour}` and
`{minute}` (of two digits) are filled in. What is not listed is not recognised, and the receipt is told: no harm.
"""

from __future__ import annotations

from typing import Final

from shared.model.sentences.languages import ByLanguage

DAYS: Final[ByLanguage[tuple[str, ...]]] = {
    "en": ("{day} {month}", "{month} {day}", "{day}(?:st|nd|rd|th)(?: of)? {month}", "{month} {day}(?:st|nd|rd|th)"),
    "de": ("{day} {month}",),
    "es": ("{day} de {month}", "{day} {month}"),
    "fr": ("{day}(?:er)? {month}",),
    "pt": ("{day}(?:º|o)? de {month}", "{day} {month}"),
    "it": ("{day}(?:º|°)? {month}",),
    "nl": ("{day} {month}",),
}
TIMES: Final[ByLanguage[tuple[str, ...]]] = {
    "en": (),
    "de": ("{hour} uhr {minute}", "{hour} {minute} uhr"),
    "es": ("{hour} {minute} h",),
    "fr": ("{hour} h {minute}", "{hour}h{minute}"),
    "pt": ("{hour}h{minute}", "{hour} h {minute}", "{hour}h{minute}min"),
    "it": ("ore {hour} {minute}",),
    "nl": ("{hour} {minute} uur",),
}
"""Besides 9:05 and 09:05, which every language has."""
FULL_HOURS: Final[ByLanguage[tuple[str, ...]]] = {
    "en": (),
    "de": ("{hour} uhr(?! [0-9])",),
    "es": ("{hour} h(?! [0-9])", "{hour} horas"),
    "fr": ("{hour} h(?! [0-9])", "{hour}h", "{hour} heures(?! [0-9])"),
    "pt": ("{hour} h(?! [0-9])", "{hour}h", "{hour} horas(?! e)"),
    "it": ("ore {hour}(?! [0-9])",),
    "nl": ("{hour} uur(?! [0-9])",),
}
HALF_DAYS: Final[ByLanguage[tuple[str, ...]]] = {
    "en": ("am", "pm", "p", "afternoon", "evening", "night", "tonight", "midnight"),
    "de": ("nachmittag", "nachmittags", "abend", "abends", "nacht", "nachts", "mitternacht"),
    "es": ("tarde", "noche", "madrugada", "medianoche"),
    "fr": ("midi", "soir", "soirée", "nuit", "minuit"),
    "pt": ("tarde", "noite", "madrugada"),
    "it": ("pomeriggio", "sera", "stasera", "notte", "stanotte", "mezzanotte"),
    "nl": ("middag", "middags", "vanmiddag", "avond", "avonds", "vanavond", "nacht", "nachts", "vannacht", "middernacht"),
}
"""Words beside which an hour up to 12 may be that of the other half of the day."""
