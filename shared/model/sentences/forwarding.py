"""What code says of mails by forwarding addresses: who wrote one, why nothing is said of it, the digest. All of it goes by mail. Pure."""

from __future__ import annotations

from typing import Final

from shared.model.sentences.languages import Sentence

SENTENCES: Final[dict[str, Sentence]] = {
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
    # Of a recording that nobody heard, by the reason: who reads it did not say what was not heard.
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
    # The digest.
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
}
