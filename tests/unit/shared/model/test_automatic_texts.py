"""What phones and carriers send by themselves is known by its form; a person's words never are."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.automatic_texts import NOT_AUTOMATIC, Automatic, compared, judged
from shared.model.reaction_phrases import REACTIONS

CASES: Final = json.loads((Path(__file__).parents[3] / "cases" / "sms" / "reactions.json").read_text(encoding="utf-8"))["cases"]
SAID: Final = "Dinner is at 7. It\u2019s \u201cfine\u201d."
QUOTES: Final = ("\u201c{}\u201d", '"{}"', "\u201e{}\u201c", "\u00ab {} \u00bb", "\u300c{}\u300d")
PERSONS: Final = (
    "Liked your idea, can you send it?",
    "Loved the place",
    "Why \u201cDinner is at 7.\u201d?",
    "What does \u201cDinner is at 7.\u201d mean",
    "Laughed at \u201cDinner is at 7.\u201d all day, thanks",
    "I questioned \u201cwhy seven\u201d",
    "\u201cDinner is at 7.\u201d",
    "Why \U0001f389 to \u201cDinner is at 7.\u201d?",
    "I would send this \U0001f389 as a note to \u201cDinner is at 7.\u201d",
    "Please move \u201cDinner is at 7.\u201d \U0001f64f",
    "\U0001f64f move \u201cDinner is at 7.\u201d to 8",
    "Cancel \u201cDinner is at 7.\u201d \U0001f600",
    "To \u201cDinner is at 7.\u201d I say yes \U0001f44d",
    "I agree with \u201cDinner is at 7.\u201d \U0001f44d",
    "Bitte \u201eDinner is at 7.\u201c verschieben \U0001f64f",
    "Loved a movie",
    "me gusta una imagen",
    "Auto-reply: how do I turn it on?",
    "I'm driving, call you later",
    "Remind me to switch on Do Not Disturb While Driving",
    "Ich fahre gerade, bitte nicht st\u00f6ren",
    "is message blocking active",
    "",
    "\u201d\u201c",
)
URGENT: Final = (
    "(I\u2019m not receiving notifications. If this is urgent, reply \u201curgent\u201d to send a notification through with your original "
    "message.)"
)
ROBOTS: Final = (
    "I\u2019m driving with Do Not Disturb While Driving turned on. I\u2019ll see your message when I get where I\u2019m going.",
    "I'm driving with Focus turned on. I'll see your message when I get where I'm going.",
    URGENT,
    f"Back at six!\n\n{URGENT}",
    "Auto-Reply: I am away.",
    "Automatische Antwort: Ich bin im Urlaub.",
    "\u81ea\u52a8\u56de\u590d\uff1a\u6211\u5728\u5f00\u4f1a",
    "Ich fahre gerade mit aktiviertem \u201eBeim Fahren nicht st\u00f6ren\u201c. Ich lese deine Nachricht, wenn ich da bin.",
    "Free Msg: Unable to send message - Message Blocking is active.",
    "This phone cannot receive text messages.",
)


def test_the_cases_that_were_found_outside() -> None:
    """Each reaction quotes what was said last; the near misses have no form of one."""
    for case in CASES:
        expected = NOT_AUTOMATIC if case["texts_back"] else Automatic("reaction", compared(case["last"]))
        assert judged(case["text"]) == expected, case["id"]


def test_every_phrase_is_a_reaction_in_every_kind_of_quotation_marks() -> None:
    """In capitals or not, whole or cut short by the phone, with quotation marks within what is quoted."""
    for phrase in (phrase.strip() for row in REACTIONS.values() for phrase in row.split(";")):
        for quotes in QUOTES:
            for words in (phrase, phrase.capitalize()):
                assert judged(words.replace("_", quotes.format(SAID))) == Automatic("reaction", compared(SAID)), (phrase, quotes)
        assert judged(phrase.replace("_", "\u201cDinner is\u2026\u201d")) == Automatic("reaction", "dinneris")


def test_an_emoji_and_the_words_of_phones_are_a_reaction() -> None:
    """As Google's Messages writes them, and iPhones since they have more than six."""
    frames = (
        "\u200a\U0001f44d to {}",
        "Reacted \U0001f389 to {}",
        "Removed \u2764\ufe0f from {}",
        "Reacted 1\ufe0f\u20e3 to {}",
        "\u2122\ufe0f to {}",
        "Hat mit \U0001f602 auf {} reagiert",
        "\u041e\u0442\u0440\u0435\u0430\u0433\u0438\u0440\u043e\u0432\u0430\u043b(\u0430) \U0001f602 \u043d\u0430 {}",
        "{}\u306b\U0001f602\u3067\u30ea\u30a2\u30af\u30b7\u30e7\u30f3\u3057\u307e\u3057\u305f",
        "{}\uc5d0 \U0001f602 \ubc18\uc751\uc744 \ubcf4\uc784",
        "!! to {}",
        "!! to {}",
        "Reaccion\u00f3 con \U0001f468\u200d\U0001f469\u200d\U0001f466 a {}", "\u7528\U0001f44d\u56de\u5e94\u4e86{}",
    )  # fmt: skip
    for frame in frames:
        assert judged(frame.format(f"\u201c\u200a{SAID}\u200a\u201d")) == Automatic("reaction", compared(SAID)), frame


def test_a_person_s_words_are_a_person_s() -> None:
    """Also where they quote us, begin like a phone, or ask about what phones do."""
    for text in PERSONS:
        assert judged(text) == NOT_AUTOMATIC, text


def test_what_somebody_liked_has_the_form_and_no_proof() -> None:
    """It is answered, since it quotes nothing that was said (`accept.lua`)."""
    assert judged("Loved \u201cDune\u201d") == Automatic("reaction", "dune")


def test_sentences_of_phones_and_carriers_are_theirs() -> None:
    """However they are spelt."""
    for text in ROBOTS:
        assert judged(text) == judged(text.upper()) == Automatic("auto_reply"), text


def test_a_reaction_to_a_file_quotes_none() -> None:
    """The file is named in the place of words."""
    for text in (
        "Liked an image",
        "Reacted \U0001f602 to an image",
        "Removed a \U0001f602 reaction from an image",
        "Removed a heart from an image",
        "A ador\u00e9 une image",
        "Le encant\u00f3 una imagen",
    ):
        assert judged(text) == Automatic("reaction"), text


@given(st.text(max_size=300))
def test_no_text_is_too_strange(text: str) -> None:
    """Whatever comes has a verdict."""
    assert judged(text).reason in ("", "reaction", "auto_reply")


@pytest.mark.many_inputs
def test_no_text_takes_long() -> None:
    """A hundredth of a second, whatever it consists of."""
    for piece in ('"', "\u201cx\u201d", "\U0001f44d", "_*", "\u00e9", "urgent ", "!!", "\u0301", "?"):
        began = time.process_time()
        judged(piece * (4_000 // len(piece)))
        assert time.process_time() - began < 0.05, piece
