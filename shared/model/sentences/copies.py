"""What code says of copies for the person's other channel. Pure."""

from __future__ import annotations

from typing import Final

from shared.model.sentences.languages import Sentence

SENTENCES: Final[dict[str, Sentence]] = {
    "copy_sent_mail": {"en": "Copy sent to your mail.", "de": "Kopie an deine Mail geschickt."},
    "copy_sent_text": {"en": "Copy sent to your phone.", "de": "Kopie an dein Telefon geschickt."},
    "copy_no_channel": {
        "en": "Not sent: I know no other address of yours.",
        "de": "Nicht geschickt: Ich kenne keine andere Adresse von dir.",
    },
    "copy_opted_out_mail": {
        "en": "Not sent: you asked me to send you no mails.",
        "de": "Nicht geschickt: Du wolltest keine Mails von mir.",
    },
    "copy_opted_out_text": {
        "en": "Not sent: you asked me to send you no texts.",
        "de": "Nicht geschickt: Du wolltest keine SMS von mir.",
    },
    "copy_too_many": {
        "en": "Not sent: I send {most} copies in a day at most.",
        "de": "Nicht geschickt: Am Tag verschicke ich höchstens {most} Kopien.",
    },
    "copy_nothing": {
        "en": "Not sent: there is no answer of mine to copy.",
        "de": "Nicht geschickt: Es gibt keine Antwort von mir, die ich kopieren könnte.",
    },
    "copy_files_missing": {
        "en": "Files that could not be sent along: {count}.",
        "de": "Dateien, die nicht mitgeschickt werden konnten: {count}.",
    },
    "copy_subject": {"en": "The copy that you asked for", "de": "Die Kopie, um die du gebeten hast"},
    "copy_of_others": {
        "en": "Words of others may stand in this, such as of a mail or a picture:",
        "de": "Hierin können Worte anderer stehen, etwa aus einer Mail oder einem Bild:",
    },
    "copy_text_lost": {
        "en": "The copy that you wanted on your phone could not be delivered there.",
        "de": "Die Kopie, die du aufs Telefon haben wolltest, kam dort nicht an.",
    },
    "copy_mail_lost": {
        "en": "The copy that you wanted by mail could not be delivered to your mailbox.",
        "de": "Die Kopie, die du per Mail haben wolltest, kam nicht in deinem Postfach an.",
    },
}
