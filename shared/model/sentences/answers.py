"""What code says in the place of an answer, or around one. Pure."""

from __future__ import annotations

from typing import Final

from shared.model.sentences.languages import Sentence

SENTENCES: Final[dict[str, Sentence]] = {
    # In its place.
    "refused": {
        "en": "Sorry, I cannot help with that. If you meant something else, please put it in other words.",
        "de": "Dabei kann ich dir leider nicht helfen. Falls du etwas anderes meintest, sag es bitte mit anderen Worten.",
    },
    "unfinished": {
        "en": "I could not go on after that. Write to me if something is still missing.",
        "de": "Danach kam ich nicht weiter. Schreib mir, wenn noch etwas fehlt.",
    },
    # Around it.
    "more_hint": {"en": "\n(Reply MORE for the rest.)", "de": "\n(MEHR bringt dir den Rest.)"},
    "reply_subject": {"en": "your message", "de": "deine Nachricht"},
    "sources": {"en": "Sources:", "de": "Quellen:"},
    "not_kept_one": {"en": "I did not get this file: {names}.", "de": "Diese Datei habe ich nicht bekommen: {names}."},
    "not_kept_many": {"en": "I did not get these files: {names}.", "de": "Diese Dateien habe ich nicht bekommen: {names}."},
    "not_kept_more": {"en": "{names} and {count} more", "de": "{names} und {count} weitere"},
    "not_kept_again": {
        "en": "If it matters, please send it again later, or in smaller parts.",
        "de": "Wenn es wichtig ist, schick es bitte später noch einmal, oder in kleineren Teilen.",
    },
    # Of a recording that nobody heard, by the reason (`shared.model.heard`).
    "unheard_not_heard": {
        "en": "I cannot hear voice messages. Please write to me what you said.",
        "de": "Sprachnachrichten kann ich nicht hören. Bitte schreib mir, was du gesagt hast.",
    },
    "unheard_too_long": {
        "en": "Your voice message is longer than what I can hear. Please send it in shorter pieces, or write to me.",
        "de": "Deine Sprachnachricht ist länger, als ich hören kann. Bitte schick sie in kürzeren Stücken, oder schreib mir.",
    },
    "unheard_not_understood": {
        "en": "I could not make out the words of your voice message. Please write to me what you said.",
        "de": "Ich konnte die Worte deiner Sprachnachricht nicht verstehen. Bitte schreib mir, was du gesagt hast.",
    },
    "unheard_not_paid": {
        "en": "I have used up what I may listen to today. Please write to me what you said.",
        "de": "Für heute darf ich nichts mehr anhören. Bitte schreib mir, was du gesagt hast.",
    },
    "unheard_hearing_failed": {
        "en": "I could not hear your voice message just now. Please write to me what you said, or send it again later.",
        "de": "Ich konnte deine Sprachnachricht gerade nicht hören. Bitte schreib mir, oder schick sie später noch einmal.",
    },
}
