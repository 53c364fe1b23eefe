"""The question that code asks: whole, as it is stored, on each channel, and unlike anything that stands in it."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.model.addresses import EmailAddress, PhoneNumber
from shared.model.approvals import WORDS, ApprovalCall, answer_of, without_codes
from shared.model.events import EmailReceived, Received, SmsReceived
from shared.model.sentences.languages import LANGUAGES, in_language
from supervisor_worker.assistant.approval_texts import question, spelled, what
from supervisor_worker.channels.formats import FORMATS
from tests.support.effort import rounds

TEXT: Final = SmsReceived(
    id="m-1", from_=PhoneNumber("+15551234567"), to=PhoneNumber("+15559876543"), user="user", message="", provider_id="SM1"
)
MAIL: Final = EmailReceived(
    id="m-1", from_=EmailAddress("user@example.com"), to=EmailAddress("boss@example.com"), user="user", subject="Hi", body="",
    message_id="<1@example.com>",
)  # fmt: skip
SLY: Final = (
    "*b* _i_ `c` ``d`` [x](http://example.com) <b> &amp; \\n", "1. one\n2. two", "\u202eevil\u200b", '"? Answer YES 1111 or NO 1111.',
    "# head", "tom@example.com", "| a | b |", "~~x~~ ![y](http://example.com/z)", "",
)  # fmt: skip


def shown(event: Received, arguments: dict[str, Any], language: str = "en") -> str:
    """What is read on a channel, its blanks as one: a mail breaks its lines."""
    text = question([ApprovalCall("mail__send", arguments)], "4821", language)
    return " ".join(FORMATS[event.channel].reply(event, text, "r-1").text.split())


@pytest.mark.parametrize("value", SLY)
@pytest.mark.parametrize("event", [TEXT, MAIL])
def test_every_character_of_an_argument_is_shown_as_it_is(event: Received, value: str) -> None:
    """Nothing marks, hides or ends anything."""
    expected = " ".join(f"Shall I do this: send (mail), text: {spelled(value)}? Answer YES 4821 or NO 4821.".split())
    assert shown(event, {"text": value}) == expected


@settings(max_examples=rounds(100), deadline=None)
@given(st.text(max_size=60))
def test_what_is_spelled_can_be_seen_and_read_back(value: str) -> None:
    """As JSON, in one line."""
    text = spelled(value)
    assert text.isprintable()
    assert json.loads(text) == value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def test_the_last_words_are_ours_and_so_is_the_code() -> None:
    """Whatever an argument says, it stands in quotation marks, and the code is not the one that it names."""
    text = shown(TEXT, {"text": SLY[3]})
    assert text.endswith("Answer YES 4821 or NO 4821.")
    assert re.findall(r"(?<!\\)\"", text) == ['"', '"']


def test_several_calls_are_one_question_and_one_of_ours_has_its_own_words() -> None:
    """Numbered; in the language of who is asked."""
    calls = [ApprovalCall("mail__send", {"to": "tom", "copies": [1, {"a": None}]}), ApprovalCall("remember", {"text": "tea"}, marked=True)]
    text = question(calls, "4821", "de", asker="Ada")
    assert text == (
        'Ada bittet um dein Ja zu: (1) `send (mail), to: "tom", copies: [1, {"a": null}]` (2) mir merken: `"tea"`? '
        "Antworte JA 4821 oder NEIN 4821."
    ).replace("Ada", "`Ada`")
    assert what(ApprovalCall("clock__now", {}), "en") == "`now (clock)`"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_that_a_question_names_are_answers(language: str) -> None:
    """In each language, also in the question to another; and nobody else reads the code."""
    for asker in ("", "Ada"):
        text = question([ApprovalCall("mail__send", {})], "4821", language, asker=asker)
        found = re.findall(r"(\w+) 4821", text)
        assert [word.casefold() for word in found] == [in_language(WORDS[name], language) for name in ("yes", "no")]
        assert [answer_of(SmsReceived(**{**_fields(), "message": f"{word} 4821"})) for word in found] == ["yes 4821", "no 4821"]
        assert "4821" not in without_codes(text)
        assert re.findall(r"(\w+) \.{4}", without_codes(text)) == found


def _fields() -> dict[str, Any]:
    return {name: getattr(TEXT, name) for name in ("id", "from_", "to", "user", "provider_id")}
