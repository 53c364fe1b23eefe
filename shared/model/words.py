"""Every sentence of ours that a person reads, in each language. Pure.

A row is a sentence by its name, in all of LANGUAGES and with the same placeholders in each. The words are plain and friendly (German says
"du"), none of them opts a person out (`shared.config.keyword_settings`), and all letters are those of the GSM alphabet (GSM 03.38), so
that a sentence by text is billed as one segment where it can be. What the operator reads, and what the model is shown, is not here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from shared.model.approval_words import APPROVALS
from shared.model.reminder_words import REMINDERS
from shared.model.tool_words import TOOL_WORDS

DEFAULT: Final = "en"
LANGUAGES: Final = (DEFAULT, "de")

WEEKDAYS: Final[dict[str, tuple[str, ...]]] = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "de": ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
}
MONTHS: Final[dict[str, tuple[str, ...]]] = {
    "en": (
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
    ),
    "de": (
        "Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember",
    ),
}  # fmt: skip

WORDS: Final[dict[str, dict[str, str]]] = {
    # Notices: each by its code.
    "error": {
        "en": "Sorry, something went wrong on my side and I could not answer your message. Please send it again.",
        "de": "Entschuldige, bei mir ging etwas schief, und ich konnte dir nicht antworten. Bitte schick deine Nachricht noch einmal.",
    },
    "rate_limited": {
        "en": "You have sent more messages than I can answer within an hour. Please try again later.",
        "de": "Du hast mehr Nachrichten geschickt, als ich in einer Stunde beantworten kann. Bitte versuch es später noch einmal.",
    },
    "day_limited": {
        "en": "You have sent more messages than I can answer in a day. I will answer again tomorrow.",
        "de": "Du hast mehr Nachrichten geschickt, als ich an einem Tag beantworten kann. Morgen antworte ich wieder.",
    },
    "echo": {
        "en": "Your messages repeat themselves, so I do not answer them for ten minutes, or until you write something else.",
        "de": "Deine Nachrichten wiederholen sich. Darum antworte ich zehn Minuten lang nicht darauf, oder bis du etwas anderes schreibst.",
    },
    "outage": {
        "en": "Sorry, I could not answer your message in time. Please send it again.",
        "de": "Entschuldige, ich konnte deine Nachricht nicht rechtzeitig beantworten. Bitte schick sie noch einmal.",
    },
    "unreadable": {
        "en": "Sorry, I could not read your message. Please send it again as plain text.",
        "de": "Entschuldige, ich konnte deine Nachricht nicht lesen. Bitte schick sie noch einmal als einfachen Text.",
    },
    "waits_day": {
        "en": "I have used up what I may think about today, and will answer you {when}. You need not send it again.",
        "de": "Für heute darf ich nicht mehr nachdenken und antworte dir {when}. Du musst nichts noch einmal schicken.",
    },
    "waits_share": {
        "en": "You have used up your share of what I may think about in a day. I will answer you {when}.",
        "de": "Dein Anteil an dem, was ich am Tag bedenken darf, ist aufgebraucht. Ich antworte dir {when}.",
    },
    "too_long": {
        "en": "Sorry, your message is longer than what I may read in a whole day. Please send it again in fewer words.",
        "de": "Entschuldige, deine Nachricht ist länger, als ich an einem ganzen Tag lesen darf. Bitte schick sie kürzer noch einmal.",
    },
    "text_lost": {
        "en": "I answered your text message, but my answer could not be delivered to your phone. You can ask me again here, by mail.",
        "de": "Ich habe deine SMS beantwortet, aber die Antwort kam nicht auf deinem Telefon an. Frag mich gern hier per Mail noch einmal.",
    },
    "mail_lost": {
        "en": "I answered your mail, but my answer could not be delivered to your mailbox. You can ask me again here, by text.",
        "de": "Ich habe deine Mail beantwortet, aber die Antwort kam nicht in deinem Postfach an. Frag mich gern hier per SMS noch einmal.",
    },
    "text_untold": {
        "en": "I had something to tell you about your text message, but could not reach your phone. You can ask me again here, by mail.",
        "de": "Ich wollte dir etwas zu deiner SMS sagen, habe aber dein Telefon nicht erreicht. Frag mich gern hier per Mail noch einmal.",
    },
    "mail_untold": {
        "en": "I had something to tell you about your mail, but could not reach your mailbox. You can ask me again here, by text.",
        "de": "Ich wollte dir etwas zu deiner Mail sagen, habe aber dein Postfach nicht erreicht. Frag mich gern hier per SMS noch einmal.",
    },
    "text_lost_subject": {"en": "A text message did not reach you", "de": "Eine SMS hat dich nicht erreicht"},
    "mail_lost_subject": {"en": "A message did not reach you", "de": "Eine Nachricht hat dich nicht erreicht"},
    "from_when": {"en": "on {weekday} from {time} ({zone})", "de": "am {weekday} ab {time} Uhr ({zone})"},
    # In place of an answer, or around it.
    # What a tool of another program has done.
    "outside_done": {"en": "Done: {tool} ({server}).", "de": "Erledigt: {tool} ({server})."},
    "sources": {"en": "Sources:", "de": "Quellen:"},
    "outside_refused": {"en": "Not done: {tool} ({server}).", "de": "Nicht erledigt: {tool} ({server})."},
    "outside_failed": {"en": "Not done: {tool} ({server}) failed.", "de": "Nicht erledigt: {tool} ({server}) ging schief."},
    "outside_unknown": {
        "en": "I do not know whether {tool} happened. Please look at {server}.",
        "de": "Ich weiß nicht, ob {tool} geschehen ist. Bitte sieh bei {server} nach.",
    },
    # In the place of an answer, where a month's money is used up.
    "month_over": {
        "en": "I have used up what I may spend this month, and cannot answer until {day}. Please write to me again then.",
        "de": "Was ich diesen Monat ausgeben darf, ist verbraucht. Bis {day} kann ich nicht antworten. Schreib mir dann noch einmal.",
    },
    "own_month_over": {
        "en": "You have used up what I may spend on you this month, and I cannot answer until {day}. Please write to me again then.",
        "de": "Was ich diesen Monat für dich ausgeben darf, ist verbraucht. Bis {day} kann ich nicht antworten. Schreib mir dann wieder.",
    },
    # Behind what a turn has done that could not be finished.
    "unfinished": {
        "en": "I could not go on after that. Write to me if something is still missing.",
        "de": "Danach kam ich nicht weiter. Schreib mir, wenn noch etwas fehlt.",
    },
    "refused": {
        "en": "Sorry, I cannot help with that. If you meant something else, please put it in other words.",
        "de": "Dabei kann ich dir leider nicht helfen. Falls du etwas anderes meintest, sag es bitte mit anderen Worten.",
    },
    "more_hint": {"en": "\n(Reply MORE for the rest.)", "de": "\n(MEHR bringt dir den Rest.)"},
    "reply_subject": {"en": "your message", "de": "deine Nachricht"},
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
    # The same of a mail by a forwarding address: who reads it did not say what was not heard.
    "forwarded_not_heard": {
        "en": "A recording came with it, which I cannot hear.",
        "de": "Dabei war eine Aufnahme, die ich nicht hören kann.",
    },
    "forwarded_too_long": {
        "en": "A recording came with it that is longer than what I can hear.",
        "de": "Dabei war eine Aufnahme, die länger ist, als ich hören kann.",
    },
    "forwarded_not_understood": {
        "en": "A recording came with it whose words I could not make out.",
        "de": "Dabei war eine Aufnahme, deren Worte ich nicht verstehen konnte.",
    },
    "forwarded_not_paid": {
        "en": "A recording came with it, and I have used up what I may listen to today.",
        "de": "Dabei war eine Aufnahme, und für heute darf ich nichts mehr anhören.",
    },
    "forwarded_hearing_failed": {
        "en": "A recording came with it that I could not hear just now.",
        "de": "Dabei war eine Aufnahme, die ich gerade nicht hören konnte.",
    },
    # Of mails by forwarding addresses.
    "headline": {"en": "Mail to {via} from {address}{called}. {proof}.", "de": "Mail an {via} von {address}{called}. {proof}."},
    "proof": {
        "en": "{proven} (envelope sender {sender}; SPF {spf}; DKIM {dkim})",
        "de": "{proven} (Absender des Umschlags {sender}; SPF {spf}; DKIM {dkim})",
    },
    "proven": {"en": "This sender is proven", "de": "Dieser Absender ist belegt"},
    "not_proven": {
        "en": "This sender is not proven: anybody may have written it",
        "de": "Dieser Absender ist nicht belegt: Jeder kann das geschrieben haben",
    },
    "dkim_valid": {"en": "valid for {names}", "de": "gültig für {names}"},
    "dkim_none": {"en": "no valid signature", "de": "keine gültige Unterschrift"},
    "unknown": {"en": "unknown", "de": "unbekannt"},
    "no_subject": {"en": "a mail without a subject", "de": "eine Mail ohne Betreff"},
    "forwarded_nothing": {"en": "I have nothing to say about it.", "de": "Dazu habe ich nichts zu sagen."},
    "forwarded_failed": {
        "en": "I could not read it: something went wrong on my side, and whoever runs me can have me try again. "
        "Who wrote it was told nothing.",
        "de": "Ich konnte sie nicht lesen: Bei mir ist etwas schiefgegangen. Wer mich betreibt, kann mich noch einmal damit beauftragen. "
        "Wer sie geschrieben hat, hat nichts davon erfahren.",
    },
    "forwarded_waits_day": {
        "en": "I have used up what I may think about today, and will tell you what it says {when}.",
        "de": "Für heute darf ich nicht mehr nachdenken und sage dir {when}, was darin steht.",
    },
    "forwarded_waits_share": {
        "en": "I have used up what I may think about such mails in a day, and will tell you what it says, and others that come in, {when}.",
        "de": "Über solche Mails darf ich heute nicht mehr nachdenken. Was darin und in weiteren steht, sage ich dir {when}.",
    },
    "digest_before": {
        "en": "More mails came in at {via} than I read in a day. These I did not read, and nobody who wrote one was told anything:",
        "de": "Unter {via} kamen mehr Mails an, als ich an einem Tag lese. Diese habe ich nicht gelesen, und wer sie geschrieben hat, hat "
        "nichts davon erfahren:",
    },
    "digest_behind": {
        "en": "Ask me here about one of them, within a week: I have kept what they say, as far as there was room.",
        "de": "Frag mich hier binnen einer Woche nach einer davon: Was darin steht, habe ich behalten, soweit Platz war.",
    },
    "digest_more": {"en": "and {count} more, of which I kept nothing", "de": "und {count} weitere, von denen ich nichts behalten habe"},
    "digest_subject_one": {"en": "1 more mail", "de": "1 weitere Mail"},
    "digest_subject_many": {"en": "{count} more mails", "de": "{count} weitere Mails"},
    "digest_file_one": {"en": " (with 1 file, not kept)", "de": " (mit 1 Datei, nicht behalten)"},
    "digest_file_many": {"en": " (with {count} files, not kept)", "de": " (mit {count} Dateien, nicht behalten)"},
    # The answers to commands.
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
    "memory_not_done": {
        "en": "Not done: nothing that I remember was changed.",
        "de": "Nicht erledigt: An dem, was ich mir merke, wurde nichts geändert.",
    },
    "list_not_done": {"en": "Not done: no list was changed.", "de": "Nicht erledigt: Es wurde keine Liste geändert."},
    "tool_not_done": {
        "en": "Not done: something that I tried did not work.",
        "de": "Nicht erledigt: Etwas, das ich versucht habe, ging nicht.",
    },
    "repeated": {"en": "{rule}, next on {when}", "de": "{rule}, das nächste Mal am {when}"},
    "every_daily": {"en": "every day", "de": "täglich"},
    "every_weekdays": {"en": "Monday to Friday", "de": "Montag bis Freitag"},
    "every_weekly": {"en": "every {days}", "de": "jeden {days}"},
    "every_monthly": {"en": "every month on day {day}", "de": "monatlich am {day}."},
    "every_yearly": {"en": "every year", "de": "jedes Jahr"},
    "until": {"en": "{rule} until {date}", "de": "{rule} bis zum {date}"},
    "and": {"en": "{first} and {last}", "de": "{first} und {last}"},
    # Receipts: what a tool of ours has changed, in one line.
    "remembered": {"en": "Remembered: {text}", "de": "Gemerkt: {text}"},
    "forgotten": {"en": "Forgotten: {text}", "de": "Vergessen: {text}"},
    "pinned": {"en": "Always in mind: {text}", "de": "Immer im Kopf: {text}"},
    "unpinned": {"en": "No longer always in mind: {text}", "de": "Nicht mehr immer im Kopf: {text}"},
    "list_added": {"en": "Added to {list}: {items}", "de": "Neu auf {list}: {items}"},
    "list_checked": {"en": "Checked off on {list}: {items}", "de": "Abgehakt auf {list}: {items}"},
    "list_open_again": {"en": "Open again on {list}: {items}", "de": "Wieder offen auf {list}: {items}"},
    "list_removed": {"en": "Removed from {list}: {items}", "de": "Entfernt von {list}: {items}"},
    "items_more": {"en": "{items} and {count} more", "de": "{items} und {count} weitere"},
    "facts_full": {
        "en": "Not remembered: I keep {most} things at most. Have me forget one first.",
        "de": "Nicht gemerkt: Ich behalte höchstens {most} Dinge. Lass mich erst eins vergessen.",
    },
    "fact_too_long": {
        "en": "Not remembered: that is longer than {most} characters.",
        "de": "Nicht gemerkt: Das ist länger als {most} Zeichen.",
    },
    "not_forgotten": {
        "en": "Not forgotten: there is nothing of that kind that I remember.",
        "de": "Nicht vergessen: So etwas habe ich mir nicht gemerkt.",
    },
    "lists_full": {"en": "Not added: you have {most} lists already.", "de": "Nicht notiert: Du hast schon {most} Listen."},
    "list_full": {"en": "Not added: a list has {most} items at most.", "de": "Nicht notiert: Eine Liste hat höchstens {most} Einträge."},
    "item_too_long": {
        "en": "Not added: an item has {most} characters at most.",
        "de": "Nicht notiert: Ein Eintrag hat höchstens {most} Zeichen.",
    },
    "list_name_too_long": {
        "en": "Not added: the name of a list has {most} characters at most.",
        "de": "Nicht notiert: Der Name einer Liste hat höchstens {most} Zeichen.",
    },
    "item_changed": {
        "en": "Not changed: {item} has changed meanwhile.",
        "de": "Nicht geändert: {item} ist inzwischen anders.",
    },
    "item_unknown": {
        "en": "Not changed: one of the items is not on the list any more.",
        "de": "Nicht geändert: Einer der Einträge steht nicht mehr auf der Liste.",
    },
    **TOOL_WORDS,
    # A date, as it stands within a sentence.
    "weekday_and_date": {"en": "{weekday}, {date}", "de": "{weekday}, {date}"},
    "date_in_year": {"en": "{date} {year}", "de": "{date} {year}"},
    "date_in_year_and_time": {"en": "{date}, {time}", "de": "{date}, {time} Uhr"},
    "date": {"en": "{day} {month}", "de": "{day}. {month}"},
    "date_and_time": {"en": "{day} {month}, {time}", "de": "{day}. {month}, {time} Uhr"},
    **REMINDERS,
    **APPROVALS,
}


def said(name: str, language: str = DEFAULT, **values: object) -> str:
    """A sentence in a language, its placeholders filled; in English where the language is none of ours. Raises KeyError for no sentence."""
    row = WORDS[name]
    return row.get(language, row[DEFAULT]).format_map(values)


def weekday(at: datetime, language: str = DEFAULT) -> str:
    """The name of the day of the week, by `at`'s own zone."""
    return WEEKDAYS.get(language, WEEKDAYS[DEFAULT])[at.weekday()]


def date(at: datetime, language: str = DEFAULT) -> str:
    """Day and month, by `at`'s own zone."""
    return said("date", language, day=at.day, month=_month(at, language))


def date_and_time(at: datetime, language: str = DEFAULT) -> str:
    """Day, month and time of day, by `at`'s own zone."""
    return said("date_and_time", language, day=at.day, month=_month(at, language), time=f"{at:%H:%M}")


def from_when(at: datetime, language: str = DEFAULT) -> str:
    """The day and time from which something holds, with its zone."""
    return said("from_when", language, weekday=weekday(at, language), time=f"{at:%H:%M}", zone=at.tzinfo)


def _month(at: datetime, language: str) -> str:
    return MONTHS.get(language, MONTHS[DEFAULT])[at.month - 1]
