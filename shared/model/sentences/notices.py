"""The notices, each by its code (`supervisor_worker.assistant.notices`), and what is said where money is used up. Pure."""

from __future__ import annotations

from typing import Final

from shared.model.sentences.languages import Sentence

SENTENCES: Final[dict[str, Sentence]] = {
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
    "address_changed": {
        "en": "Your last message came from an address that is no longer yours, so I have not answered it. You can ask me again here.",
        "de": "Deine letzte Nachricht kam von einer Adresse, die nicht mehr deine ist. Frag mich gern hier noch einmal.",
    },
    "address_changed_subject": {"en": "A message was not answered", "de": "Eine Nachricht ist unbeantwortet"},
    # In the place of an answer, where a month's money is used up.
    "month_over": {
        "en": "I have used up what I may spend this month, and cannot answer until {day}. Please write to me again then.",
        "de": "Was ich diesen Monat ausgeben darf, ist verbraucht. Bis {day} kann ich nicht antworten. Schreib mir dann noch einmal.",
    },
    "own_month_over": {
        "en": "You have used up what I may spend on you this month, and I cannot answer until {day}. Please write to me again then.",
        "de": "Was ich diesen Monat für dich ausgeben darf, ist verbraucht. Bis {day} kann ich nicht antworten. Schreib mir dann wieder.",
    },
}
