"""What is an answer to a question that waits for a yes, and what is only like one."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from shared.config.keyword_settings import STOP_ALWAYS
from shared.model import approvals
from shared.model.addresses import EmailAddress, PhoneNumber
from shared.model.approvals import ApprovalCall, always_key, answer_of, without_codes
from shared.model.events import EmailReceived, SmsReceived
from shared.model.marks import Mark
from shared.model.media import Media
from shared.model.sentences.languages import each_language
from shared.model.text import without_accents
from tests.support.opt_out_words import OPT_OUT_WORDS

TEXT: Final = SmsReceived(
    id="m-1", from_=PhoneNumber("+15551234567"), to=PhoneNumber("+15559876543"), user="user", message="", provider_id="SM1"
)
MAIL: Final = EmailReceived(
    id="m-1", from_=EmailAddress("user@example.com"), to=EmailAddress("boss@example.com"), user="user", subject="Re: A question", body="",
    message_id="<1@example.com>",
)  # fmt: skip


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("yes", "yes"), ("Yes!", "yes"), ("YES 4821", "yes 4821"), ("yes 4821.", "yes 4821"), ("  yes   48 21 ", "yes 4821"),
        ("yes4821", "yes 4821"), ("4 8 2 1 yes", "yes 4821"), ("Yes, please \U0001f44d", "yes"), ("yes please 4821", "yes 4821"),
        ("JA 4821", "yes 4821"), ("ja bitte", "yes"), ("Ja, bitte! \U0001f60a", "yes"), ("Nein danke", "no"), ("no, thank you", "no"),
        ("NO 4821", "no 4821"), ("oui 4821", "yes 4821"), ("S\u00ed 4821", "yes 4821"), ("ALWAYS 4821", "always 4821"), ("immer", "always"),
        ("\uff39\uff25\uff33 \uff14\uff18\uff12\uff11", "yes 4821"), ("\u201cYES 4821\u201d", "yes 4821"),
        ("Si", "yes"), ("sì 4821", "yes 4821"), ("SÌ, GRAZIE", "yes"), ("no, per favore", "no"), ("siempre", "always"),
        ("Sim, por favor", "yes"), ("NÃO 4821", "no 4821"), ("nao", "no"), ("na\u0303o obrigado", "no"), ("sempre 4821", "always 4821"),
        ("Oui, s'il te plaît", "yes"), ("non merci", "no"), ("toujours", "always"),
        ("nee 4821", "no 4821"), ("Ja graag", "yes"), ("Nee, dank je", "no"), ("altijd", "always"),
    ],
)  # fmt: skip
def test_a_word_with_or_without_the_code_is_an_answer(said: str, answer: str) -> None:
    """In any of our languages, whatever its case, its accents, its blanks, its punctuation, and the courtesy beside it."""
    assert answer_of(replace(TEXT, message=said)) == answer


@pytest.mark.parametrize(
    "said",
    [
        "", "4821", "yes?", "YES 4821?", "yes 482", "yes 48210", "yes no", "yes or no 4821", "yes yes", "yesterday 4821", "yes but later",
        "Yes, send it to Ann instead", "no, tom@example.com", "ok", "sure", "vale", "claro", "peut-être",
        "\U0001f44d", "\U0001f44e", "yes \U0001f44e", "maybe 4821",
        "Answer YES 4821 or NO 4821", "yes " + "!" * 60, "stop", "eyes 4821", "\u0b6a\u0b6e\u0b68\u0b67 yes",
    ],
)  # fmt: skip
def test_anything_else_is_an_ordinary_message(said: str) -> None:
    """A yes to something else, a yes with a condition, a question, a thumb."""
    assert answer_of(replace(TEXT, message=said)) == ""


def test_a_text_with_a_file_answers_nothing() -> None:
    """Its words are about that."""
    assert answer_of(replace(TEXT, message="yes", media_count=1, media=(Media("ME1", "image/png"),))) == ""


def test_a_mail_answers_in_the_first_line_of_its_author_s_own_words_and_with_the_code() -> None:
    """Whatever stands below it; a quote before it is not its author's."""
    assert answer_of(replace(MAIL, body="Yes 4821\n\nBest, Ada\n-- \nAda")) == "yes 4821"
    assert answer_of(replace(MAIL, body="\n\n  JA 4821\nGruss")) == "yes 4821"
    assert answer_of(replace(MAIL, body="yes")) == ""
    assert answer_of(replace(MAIL, body="Hello,\nyes 4821")) == ""
    assert answer_of(replace(MAIL, subject="yes 4821", body="")) == ""
    quoted = "> YES 4821\n"
    assert answer_of(replace(MAIL, body=f"{quoted}Hello", marks=(Mark("quoted", 0, len(quoted)),))) == ""
    assert answer_of(replace(MAIL, body=f"{quoted}NO 4821", marks=(Mark("quoted", 0, len(quoted)),))) == "no 4821"


def test_what_a_stranger_wrote_by_a_forwarding_address_answers_nothing() -> None:
    """Its author is nobody's approver."""
    assert answer_of(replace(MAIL, via="in@example.com", author="Eve <eve@example.com>", body="yes 4821")) == ""


def test_no_word_opts_out() -> None:
    """In no language, nor is it one that Twilio answers."""
    words = {without_accents(word) for row in approvals.WORDS.values() for word in each_language(row).values()}
    assert not words & (STOP_ALWAYS | OPT_OUT_WORDS | {"help", "info"})


def test_a_call_is_stored_as_it_was_asked_about() -> None:
    """Whatever it is called with."""
    call = ApprovalCall("mail__send", {"to": "tom@example.com", "deep": {"a": [1, None, "\u2028\u202e"]}}, "d", "mail__send x", marked=True)
    assert approvals.read(approvals.write([call, call])) == (call, call)
    assert approvals.read("no JSON") == ()
    assert approvals.read('[{"tool": "x"}]') == ()
    assert always_key("mail__send", "tom@example.com") == "mail__send tom@example.com"
    assert always_key("mail__send") == "mail__send"


def test_who_is_shown_a_question_without_its_code_cannot_say_what_to_answer() -> None:
    """In each language in which it is asked; nothing else of it changes."""
    for asked in ("pay 4821 to VISA 4821? Answer YES 4821 or NO 4821.", "zahle 4821 an VISA 4821? Antworte JA 4821 oder NEIN 4821."):
        shown = without_codes(asked)
        assert (shown.count("...."), shown.count("4821")) == (2, 2)
    assert without_codes("Reminder set: 4 May 2027, JAN 2027") == "Reminder set: 4 May 2027, JAN 2027"
