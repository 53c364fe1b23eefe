"""The receipts: what a tool has changed, or why nothing, in one line. Those of reminders and copies stand with them. Pure."""

from __future__ import annotations

from typing import Final

from shared.model.sentences.languages import Sentence

SENTENCES: Final[dict[str, Sentence]] = {
    "tool_not_done": {
        "en": "Not done: something that I tried did not work.",
        "de": "Nicht erledigt: Etwas, das ich versucht habe, ging nicht.",
    },
    # Of memory.
    "remembered": {"en": "Remembered: {text}", "de": "Gemerkt: {text}"},
    "forgotten": {"en": "Forgotten: {text}", "de": "Vergessen: {text}"},
    "pinned": {"en": "Always in mind: {text}", "de": "Immer im Kopf: {text}"},
    "unpinned": {"en": "No longer always in mind: {text}", "de": "Nicht mehr immer im Kopf: {text}"},
    "memory_not_done": {
        "en": "Not done: nothing that I remember was changed.",
        "de": "Nicht erledigt: An dem, was ich mir merke, wurde nichts geändert.",
    },
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
    # Of lists.
    "list_added": {"en": "Added to {list}: {items}", "de": "Neu auf {list}: {items}"},
    "list_checked": {"en": "Checked off on {list}: {items}", "de": "Abgehakt auf {list}: {items}"},
    "list_open_again": {"en": "Open again on {list}: {items}", "de": "Wieder offen auf {list}: {items}"},
    "list_removed": {"en": "Removed from {list}: {items}", "de": "Entfernt von {list}: {items}"},
    "items_more": {"en": "{items} and {count} more", "de": "{items} und {count} weitere"},
    "list_not_done": {"en": "Not done: no list was changed.", "de": "Nicht erledigt: Es wurde keine Liste geändert."},
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
    # What a tool of another program has done.
    "outside_done": {"en": "Done: {tool} ({server}).", "de": "Erledigt: {tool} ({server})."},
    "outside_refused": {"en": "Not done: {tool} ({server}).", "de": "Nicht erledigt: {tool} ({server})."},
    "outside_failed": {"en": "Not done: {tool} ({server}) failed.", "de": "Nicht erledigt: {tool} ({server}) ging schief."},
    "outside_unknown": {
        "en": "I do not know whether {tool} happened. Please look at {server}.",
        "de": "Ich weiß nicht, ob {tool} geschehen ist. Bitte sieh bei {server} nach.",
    },
}
