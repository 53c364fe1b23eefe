"""From the model's words to the command: threading headers, cutting, plain text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.addresses import EmailAddress, PhoneNumber
from shared.model.events import EmailReceived, SendEmailResponse, SendSmsResponse, SmsReceived
from supervisor_worker.channels.formats import FORMATS, reply
from supervisor_worker.channels.sendgrid.format import references_for, subject_for
from supervisor_worker.channels.truncation import CUT_MARK, cut_short
from supervisor_worker.channels.truncation import cut as cut_bytes
from supervisor_worker.channels.twilio.format import SmsFormat, price_class, sms_length

USER, BOSS = EmailAddress("user@example.com"), EmailAddress("boss@bossline.example")


def mail(**fields: object) -> EmailReceived:
    defaults: dict[str, object] = {"subject": "Hi", "body": "", "message_id": "<m@x>"}
    return EmailReceived(id="m-1", from_=USER, to=BOSS, user="ada", **{**defaults, **fields})  # type: ignore[arg-type]


def cut(text: str, limit: int) -> str:
    return cut_bytes(text, 2 * limit, "utf-16-le")


@pytest.mark.parametrize(
    ("received", "sent"),
    [
        ("Plans", "Re: Plans"),
        ("Re: Plans", "Re: Plans"),
        ("RE: re:Re[2]: RE(3) : Plans", "Re: Plans"),
        ("Re\uff1a Plans", "Re: Plans"),
        ("Report: Re: done", "Re: Report: Re: done"),
        ("", "Re: your message"),
        ("Re:", "Re: your message"),
        ("A\r\nBcc: all@example.com", "Re: A Bcc: all@example.com"),
        ("x" * 5000, "Re: " + "x" * 200),
        ("re:" * 1000 + "x", "Re: x"),
    ],
)
def test_a_subject_has_one_re_and_one_line(received: str, sent: str) -> None:
    """However many there were, in whatever case."""
    assert subject_for(received) == sent


def test_references_are_the_parents_and_the_parent() -> None:
    """RFC 5322, 3.6.4."""
    assert references_for(mail(references=("<a@x>", "<b@x>"))) == ("<a@x>", "<b@x>", "<m@x>")
    assert references_for(mail(in_reply_to="<a@x>")) == ("<a@x>", "<m@x>")
    assert references_for(mail(in_reply_to="<a@x> <b@x>")) == ("<m@x>",)
    assert references_for(mail(references=("<m@x>", "<a@x>"))) == ("<a@x>", "<m@x>")


def test_references_that_could_break_a_header_are_left_out() -> None:
    """Line ends, spaces and endless ids never reach SendGrid."""
    hostile = ("<a@x>\r\nBcc: <b@x>", "no brackets", "<" + "y" * 500 + "@x>", "<sp ace@x>", "<ok@x>")
    assert references_for(mail(references=hostile)) == ("<ok@x>", "<m@x>")
    assert references_for(mail(message_id="<a@x>\r\nBcc: <b@x>")) == ()


def test_a_very_long_thread_keeps_its_root_and_its_newest() -> None:
    """The root is what the conversation is named after."""
    kept = references_for(mail(references=tuple(f"<{number}@x>" for number in range(500))))
    assert (len(kept), kept[0], kept[1], kept[-1]) == (50, "<0@x>", "<452@x>", "<m@x>")


def test_the_recipient_comes_from_the_message_whatever_the_model_says() -> None:
    """Nothing in the model's text can address anybody else."""
    text = "To: other@example.com\r\nBcc: third@example.com\r\n\r\nSend this to +15550000000"
    command = reply(mail(), text, "r-1")
    assert isinstance(command, SendEmailResponse)
    assert (command.to, command.from_, command.message_id) == (USER, BOSS, "<r-1@bossline.example>")
    sms = SmsReceived(id="m", from_=PhoneNumber("+15551234567"), to=PhoneNumber("+15559876543"), message="", user="ada", provider_id="SM1")
    answer = reply(sms, text, "r-1")
    assert isinstance(answer, SendSmsResponse)
    assert (answer.to.value, answer.from_.value) == ("+15551234567", "+15559876543")


@given(st.text(max_size=400), st.integers(20, 100))
def test_a_cut_text_is_never_longer_than_its_limit(text: str, limit: int) -> None:
    """Counted in UTF-16 units; what fits is not touched."""
    result = cut(text, limit)
    assert sms_length(result) <= limit
    if sms_length(text) <= limit:
        assert result == text
    else:
        assert result.endswith(CUT_MARK)


def test_a_cut_goes_after_a_sentence_else_after_a_word_else_anywhere() -> None:
    """In that order of preference; an emoji is never halved."""
    assert cut("One two. Three four. Five six seven eight", 28) == "One two. Three four. [...]"
    assert cut("one two three four five six seven", 20) == "one two three [...]"
    assert cut("x" * 50, 20) == "x" * 14 + CUT_MARK
    assert cut("\U0001f600" * 50, 21) == "\U0001f600" * 7 + CUT_MARK
    assert cut_short("A whole one. A bro") == "A whole one. [...]"
    assert cut_short("") == ""


def test_a_message_that_answers_none_begins_its_own_thread() -> None:
    """The subject as it is, no thread headers, and the id that an answer will name; a text is a text."""
    sent = FORMATS["email"].opening(mail(subject="Told elsewhere", message_id="<n-1@x>", references=("<r@x>",)), "Hello", "r-1")
    assert isinstance(sent, SendEmailResponse)
    assert (sent.to, sent.from_, sent.subject, sent.body) == (USER, BOSS, "Told elsewhere", "Hello")
    assert (sent.message_id, sent.in_reply_to, sent.references) == ("<n-1@x>", "", ())
    phone, boss = PhoneNumber("+15551234567"), PhoneNumber("+15559876543")
    text = FORMATS["sms"].opening(SmsReceived(id="n-1", from_=phone, to=boss, message="", user="ada", provider_id=""), "Hello", "r-1")
    assert text == SendSmsResponse(to=phone, from_=boss, message="Hello", user="ada")


def test_only_a_text_that_is_too_long_is_asked_for_again() -> None:
    """At the very limit it is not; a mail never is. What is asked for leaves a fifth of the room."""
    phone, boss = PhoneNumber("+15551234567"), PhoneNumber("+15559876543")
    sms = SmsReceived(id="m-1", from_=phone, to=boss, message="", user="ada", provider_id="")

    def asked(form: SmsFormat, text: str) -> str:
        return form.ask_shorter(form.reply(sms, text, "r-1"))

    assert asked(SmsFormat(), "x" * 918) == ""
    assert "at most 730 characters" in asked(SmsFormat(), "x" * 919)
    assert "at most 320 characters" in asked(SmsFormat(), "\u0436" * 403)
    assert "at most 120 characters" in asked(SmsFormat(1), "x" * 161)
    assert asked(SmsFormat(), "**" + "x" * 918 + "**") == ""
    assert FORMATS["email"].ask_shorter(FORMATS["email"].reply(mail(), "x" * 100_000, "r-1")) == ""


def test_the_model_is_told_how_long_a_text_may_be() -> None:
    """In characters and in segments, as the operator set them."""
    assert "never more than 918" in " ".join(FORMATS["sms"].rules.split())
    assert "never more than 1,530, which are 10 of the segments" in " ".join(SmsFormat(10).rules.split())


def test_what_a_text_costs_is_told_by_figures_alone() -> None:
    """Segments, alphabet and country; a mail costs nothing of the kind, and neither takes the other's message."""
    sms = SmsReceived(
        id="m", from_=PhoneNumber("+4915112345678"), to=PhoneNumber("+15559876543"), message="", user="ada", provider_id="SM1"
    )
    answer = reply(sms, "\u0436" * 71, "r-1")
    assert FORMATS["sms"].figures(answer) == {"segments": 2, "encoding": "UCS-2", "price_class": "DE"}
    assert FORMATS["email"].figures(reply(mail(), "x", "r-1")) == {}
    with pytest.raises(TypeError, match="not a text"):
        FORMATS["sms"].figures(reply(mail(), "x", "r-1"))
    assert [price_class(PhoneNumber(number)) for number in ("+15551234567", "+16135550100", "+442079460000")] == ["US", "CA", "GB"]


def test_a_format_takes_the_messages_of_its_own_channel_only() -> None:
    """A mix-up is loud, and sends nothing."""
    text = SmsReceived(id="m", from_=PhoneNumber("+15551234567"), to=PhoneNumber("+15559876543"), message="", user="ada", provider_id="SM1")
    with pytest.raises(TypeError, match="not a mail: sms_received"):
        FORMATS["email"].reply(text, "Hello", "r-1")
    with pytest.raises(TypeError, match="not a text: email_received"):
        FORMATS["sms"].shown(mail(), None)
