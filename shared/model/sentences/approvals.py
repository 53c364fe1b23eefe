"""What code says of calls that wait for a yes. The words that it offers are those of `shared.model.approvals`. Pure."""

from __future__ import annotations

from typing import Final

from shared.model.sentences.languages import Sentence

SENTENCES: Final[dict[str, Sentence]] = {
    "ask": {
        "en": "Shall I do this: {what}? Answer YES {code} or NO {code}.",
        "de": "Soll ich das tun: {what}? Antworte JA {code} oder NEIN {code}.",
    },
    "ask_for_another": {
        "en": "{who} asks for your yes to this: {what}? Answer YES {code} or NO {code}.",
        "de": "{who} bittet um dein Ja zu: {what}? Antworte JA {code} oder NEIN {code}.",
    },
    "ask_remember": {"en": "remember {text}", "de": "mir merken: {text}"},
    "ask_apart": {"en": "Not asked: {what}. Tell me to do that by itself.", "de": "Nicht gefragt: {what}. Trag mir das einzeln auf."},
    "ask_subject": {"en": "A question for your yes", "de": "Eine Frage, die dein Ja braucht"},
    "asked_another": {"en": "I have asked {who} for a yes to that.", "de": "Ich habe {who} um ein Ja dazu gebeten."},
    "asked_by_mail": {
        "en": "What I have to ask you is too long for a text: I have asked you by mail.",
        "de": "Was ich dich fragen muss, ist zu lang für eine SMS: Ich habe dich per Mail gefragt.",
    },
    "cannot_ask": {
        "en": "Not done: what I would have to ask you first is too long to be asked here.",
        "de": "Nicht erledigt: Was ich dich vorher fragen müsste, ist zu lang, um hier gefragt zu werden.",
    },
    "cannot_ask_now": {
        "en": "Not done: you have been asked too much today for one more question.",
        "de": "Nicht erledigt: Für eine weitere Frage wurdest du heute schon zu viel gefragt.",
    },
    "cannot_ask_another": {
        "en": "Not done: I cannot ask {who} for a yes.",
        "de": "Nicht erledigt: Ich kann {who} nicht um ein Ja bitten.",
    },
    "approval_yes": {"en": "Thank you, I will do it.", "de": "Danke, ich mache das."},
    "approval_always": {
        "en": "Thank you, I will do it, and from now on without asking.",
        "de": "Danke, ich mache das, und von nun an, ohne zu fragen.",
    },
    "approval_no": {"en": "All right, I will not do it.", "de": "Gut, ich lasse es."},
    "approval_already": {"en": "That has been answered already.", "de": "Das ist schon beantwortet."},
    "approval_expired": {"en": "That took too long; ask me again.", "de": "Das hat zu lange gedauert; bitte mich noch einmal darum."},
    "approval_withdrawn": {
        "en": "That question is not open any more; ask me again.",
        "de": "Diese Frage ist nicht mehr offen; bitte mich noch einmal darum.",
    },
    "approval_which": {
        "en": "There is more than one question. Answer with the code of the one that you mean.",
        "de": "Es gibt mehr als eine Frage. Antworte mit dem Code von der, die du meinst.",
    },
    "declined": {
        "en": "The answer to what I had to ask first was no, so I have not done it.",
        "de": "Auf meine Rückfrage kam ein Nein. Ich habe es darum nicht getan.",
    },
}
