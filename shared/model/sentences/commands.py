"""The answers to commands (`shared.model.commands`). Pure."""

from __future__ import annotations

from typing import Final

from shared.model.sentences.languages import Sentence

SENTENCES: Final[dict[str, Sentence]] = {
    "help": {
        "en": 'Write to me in your own words. By themselves, as a whole message, these are commands: "status" (what waits for an answer), '
        '"more" (the rest of a long answer), "new chat" (starts afresh; "back" within an hour returns), "help".',
        "de": 'Schreib mir in deinen eigenen Worten. Allein, als ganze Nachricht, sind das Befehle: "status" (was auf Antwort wartet), '
        '"mehr" (der Rest einer langen Antwort), "neuer chat" (fängt neu an; "zurück" führt binnen einer Stunde zurück), "hilfe".',
    },
    "no_more": {
        "en": "There is no more: that was all of my last answer.",
        "de": "Mehr gibt es nicht: Das war meine ganze letzte Antwort.",
    },
    "new_chat": {
        "en": 'A new chat begins here. Nothing is deleted: "back" within an hour returns to the one before.',
        "de": 'Hier beginnt ein neuer Chat. Nichts wird gelöscht: "zurück" führt binnen einer Stunde in den vorigen.',
    },
    "back": {"en": "We are back in the chat before.", "de": "Wir sind wieder im vorigen Chat."},
    # The answer to status.
    "status_none": {"en": "None of your messages waits for an answer.", "de": "Keine deiner Nachrichten wartet auf Antwort."},
    "status_one": {
        "en": "1 of your messages waits for an answer, since {since}.",
        "de": "1 deiner Nachrichten wartet auf Antwort, seit {since}.",
    },
    "status_many": {
        "en": "{count} of your messages wait for an answer, the first since {since}.",
        "de": "{count} deiner Nachrichten warten auf Antwort, die erste seit {since}.",
    },
    "status_last": {"en": "Your last: {each}.", "de": "Deine letzten: {each}."},
    "status_each": {"en": "{when} {kind}, {state}", "de": "{when} {kind}, {state}"},
    "kind_text": {"en": "text", "de": "SMS"},
    "kind_mail": {"en": "mail", "de": "Mail"},
    "state_waits": {"en": "waits", "de": "wartet"},
    "state_answered": {"en": "answered", "de": "beantwortet"},
    "state_elsewhere": {"en": "answered elsewhere", "de": "anderswo beantwortet"},
    "state_not_answered": {"en": "not answered", "de": "nicht beantwortet"},
    "status_held": {
        "en": "I have used up what I may think about today, and answer when the next day (UTC) begins.",
        "de": "Für heute darf ich nicht mehr nachdenken und antworte, wenn der nächste Tag (UTC) beginnt.",
    },
    "status_paused": {"en": "Sending is paused.", "de": "Gerade wird nichts gesendet."},
    "status_not_paused": {"en": "Nothing is paused.", "de": "Nichts ist angehalten."},
    "opted_out_text": {
        "en": "I send you no texts, since you asked me not to.",
        "de": "Ich schicke dir keine SMS, weil du das so wolltest.",
    },
    "opted_out_mail": {
        "en": "I send you no mails, since you asked me not to.",
        "de": "Ich schicke dir keine Mails, weil du das so wolltest.",
    },
}
