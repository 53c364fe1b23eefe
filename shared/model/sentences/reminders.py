"""What code says of reminders. Pure."""

from __future__ import annotations

from typing import Final

from shared.model.sentences.languages import Sentence

SENTENCES: Final[dict[str, Sentence]] = {
    # Of reminders that are due.
    "reminder": {"en": "Reminder: {text}", "de": "Erinnerung: {text}"},
    "reminder_late": {
        "en": "Reminder, late (it was due on {when}): {text}",
        "de": "Erinnerung, verspätet (fällig am {when}): {text}",
    },
    "reminder_of_mail": {"en": "From the mail of {source}: {text}", "de": "Aus der Mail von {source}: {text}"},
    "reminder_of_others": {"en": "From what others wrote: {text}", "de": "Aus Worten anderer: {text}"},
    "reminders_missed_one": {
        "en": "I could not reach you when this reminder was due:",
        "de": "Als diese Erinnerung fällig war, konnte ich dich nicht erreichen:",
    },
    "reminders_missed_many": {
        "en": "I could not reach you when these reminders were due:",
        "de": "Als diese Erinnerungen fällig waren, konnte ich dich nicht erreichen:",
    },
    "briefing_subject": {"en": "Briefing: {text}", "de": "Überblick: {text}"},
    "reminder_subject": {"en": "A reminder", "de": "Eine Erinnerung"},
    "reminders_missed_subject": {"en": "Reminders that you missed", "de": "Verpasste Erinnerungen"},
    # Where a person's time zone has changed.
    "zone_asked": {
        "en": "Your time zone is now {new}; reminders that go by {old}: {count}. Reply MOVE REMINDERS for the new clock or KEEP REMINDERS.",
        "de": "Deine Zeitzone ist jetzt {new}; Erinnerungen nach {old}: {count}. Antworte ERINNERUNGEN UMSTELLEN oder ERINNERUNGEN LASSEN.",
    },
    "zone_subject": {"en": "Your reminders and your new time zone", "de": "Deine Erinnerungen und deine neue Zeitzone"},
    "zone_moved": {
        "en": "All your reminders go by the clock of {new} now.",
        "de": "Alle deine Erinnerungen gehen jetzt nach der Uhr von {new}.",
    },
    "zone_kept": {
        "en": "Your reminders stay, each by the clock by which it was set.",
        "de": "Deine Erinnerungen bleiben, jede nach der Uhr, nach der sie gestellt wurde.",
    },
    # What was done with reminders.
    "reminder_set": {"en": "Reminder, {when}: {text}", "de": "Erinnerung, {when}: {text}"},
    "briefing_set": {"en": "Briefing, {when}: {text}", "de": "Überblick, {when}: {text}"},
    "reminder_moved": {"en": "Reminder moved to {when}: {text}", "de": "Erinnerung verschoben auf {when}: {text}"},
    "reminder_moved_once": {
        "en": "Reminder moved, this once, to {when}: {text}",
        "de": "Erinnerung nur dieses Mal verschoben auf {when}: {text}",
    },
    "reminder_dropped": {"en": "Reminder dropped, {when}: {text}", "de": "Erinnerung gestrichen, {when}: {text}"},
    "reminder_not_done": {"en": "Not done: no reminder was changed.", "de": "Nicht erledigt: Es wurde keine Erinnerung geändert."},
    "reminder_once_only": {
        "en": 'Not done: this chat shows words of others, and what is made of them rings once only. Send "new chat", then ask again.',
        "de": 'Nicht erledigt: Hier stehen Worte anderer, und was daraus wird, erinnert nur einmal. Schreib "neuer chat", dann nochmal.',
    },
    "reminders_full": {
        "en": "Not done: you have 200 reminders, and no more fit. Drop one first.",
        "de": "Nicht erledigt: Du hast 200 Erinnerungen, mehr passen nicht. Streich erst eine.",
    },
}
