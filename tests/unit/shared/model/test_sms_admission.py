"""Who is answered by text, and why not."""

from __future__ import annotations

import pytest

from shared.config.settings import Settings
from shared.model import sms_admission
from shared.model.sms_admission import AdmittedSms, Ignored, InboundSms, Keywords
from shared.model.users import LOCAL_USER, Users

USERS = Users([LOCAL_USER])
KEYWORDS = Settings(_env_file=None).keywords  # type: ignore[call-arg]


def sms(body: str = "Hello", *, sender: str = "+15551234567", recipient: str = "+15559876543", **fields: object) -> AdmittedSms | Ignored:
    text = InboundSms("SM1", "AC1", sender, recipient, sms_admission.words(body).text, **fields)  # type: ignore[arg-type]
    return sms_admission.sms(text, USERS, KEYWORDS)


@pytest.mark.parametrize(
    ("body", "keyword"),
    [
        *((word, "stop") for word in ("STOP", "stopall", "Unsubscribe", "CANCEL", "end", "Quit", "revoke", "OPTOUT", "  stop \n")),
        *((word, "yes") for word in ("START", "unstop", " Start ", "YES", "yes")),
        *((text, "") for text in ("STOP please", "stop.", "please stop", "yes!", "start now", "HELP me", "the end", "stop" * 20)),
    ],
)
def test_a_keyword_is_the_whole_message(body: str, keyword: str) -> None:
    """As Twilio reads it: any case, trimmed, nothing beside it. What opts in does so only where an opt-out is to end ("yes")."""
    verdict = sms(body)
    assert isinstance(verdict, AdmittedSms)
    assert verdict.keyword == keyword


@pytest.mark.parametrize(("opt_out", "keyword"), [("stop", "stop"), ("start", "start")])
def test_what_twilio_recognised_is_a_keyword_whatever_the_words(opt_out: str, keyword: str) -> None:
    """Advanced Opt-Out knows words of the customer's own."""
    verdict = sms("Adiós", opt_out=opt_out)
    assert isinstance(verdict, AdmittedSms)
    assert verdict.keyword == keyword


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"body": "HELP", "opt_out": "help"}, "help_keyword"),
        ({"body": "HELP"}, "help_keyword"),
        ({"body": " info\n"}, "help_keyword"),
        ({"body": " "}, "empty"),
        ({"sender": "+15557654321"}, "stranger"),
        ({"sender": "72345"}, "bad_sender"),
        ({"sender": "ACME"}, "bad_sender"),
        ({"sender": "whatsapp:+15551234567"}, "whatsapp"),
        ({"sender": "whatsapp:+15551234567", "recipient": "whatsapp:+15559876543"}, "whatsapp"),
        ({"sender": "RCS:+15551234567", "recipient": "rcs:boss_agent"}, "rcs"),
        ({"sender": "messenger:1234"}, "messenger"),
        ({"sender": "tel:+15551234567"}, "bad_sender"),
        ({"sender": "+15559876543"}, "own_address"),
        ({"recipient": "+15550001111"}, "unknown_recipient"),
        ({"recipient": "rcs:boss"}, "rcs"),
        ({"sender": "+15557654321", "body": "STOP"}, "stranger"),
    ],
)
def test_a_text_that_is_not_answered_has_its_reason(changes: dict[str, str], reason: str) -> None:
    """A Boss number answers only its own user. Who is none hangs on who is known: it is judged again when it is stored."""
    assert sms(**changes) == Ignored(reason, unknown=reason in ("stranger", "unknown_recipient"))


@pytest.mark.parametrize(
    ("body", "opt_out", "verdict"),
    [
        ("cancel", "", ""),
        ("Quit", "", "stop"),
        ("ADIOS", "", "stop"),
        ("stop", "", "stop"),
        ("unsubscribe", "", "stop"),
        ("cancel", "stop", "stop"),
        ("help", "", ""),
        ("help", "help", "help_keyword"),
        ("sos", "", "help_keyword"),
    ],
)
def test_the_words_in_force_are_the_accounts(body: str, opt_out: str, verdict: str) -> None:
    """What Advanced Opt-Out took away is a message, what it added counts; STOP is always one, and Twilio's own word is believed."""
    text = InboundSms("SM1", "AC1", "+15551234567", "+15559876543", body, opt_out=opt_out)
    settings = Settings(_env_file=None, opt_out_words="QUIT, ADIOS", help_words="sos")  # type: ignore[call-arg]
    found = sms_admission.sms(text, USERS, settings.keywords)
    assert (found.keyword if isinstance(found, AdmittedSms) else found.reason) == verdict


def test_no_words_at_all_leave_stop_and_its_like() -> None:
    """`none` is no word."""
    keywords = Settings(_env_file=None, opt_out_words="none", help_words="none").keywords  # type: ignore[call-arg]
    assert keywords == Keywords(frozenset({"stop", "stopall", "unsubscribe", "revoke", "optout"}), frozenset())


def test_a_picture_without_words_is_admitted() -> None:
    """The assistant says that it cannot see it."""
    assert isinstance(sms("", media_count=1), AdmittedSms)


@pytest.mark.parametrize(("said", "count"), [("0", 0), (" 2 ", 2), ("999999", sms_admission.MAX_MEDIA), ("", 0), ("-1", 0), ("٣", 0)])
def test_a_count_of_pictures_is_bounded_and_never_a_reason_to_fail(said: str, count: int) -> None:
    """What is no number counts nothing."""
    assert sms_admission.media_count(said) == count


def test_the_event_is_made_of_what_was_admitted() -> None:
    """Addresses as they were parsed, the user's name, and the provider's id."""
    text = InboundSms("SM1", "AC1", "+1 555 123-4567", "+15559876543", "Hello", media_count=2)
    verdict = sms_admission.sms(text, USERS, KEYWORDS)
    assert isinstance(verdict, AdmittedSms)
    event = sms_admission.received("m-1", text, verdict, at=5.0)
    assert (event.id, event.from_.value, event.to.value, event.user) == ("m-1", "+15551234567", "+15559876543", "user")
    assert (event.message, event.provider_id, event.media_count, event.signed, event.received_at) == ("Hello", "SM1", 2, True, 5.0)
