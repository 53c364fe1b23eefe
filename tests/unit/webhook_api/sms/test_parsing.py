"""Twilio's forms."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadInput
from tests.payloads import form_body, payload, sms_fields
from webhook_api.sms.parsing import MAX_FIELDS, is_form, parse_sms, parse_status, read_form


def test_a_plain_text_is_read() -> None:
    """The form as Twilio posts it, with all its fields."""
    form = parse_sms(read_form(payload("sms_plain.form")))
    assert (form.sid, form.sender, form.recipient) == ("SM" + "1" * 32, "+15551234567", "+15559876543")
    assert form.text == "Café at 8? +1 & 100% “sure” 😀"
    assert (form.media_count, form.opt_out, form.account) == (0, "", "AC" + "0" * 32)


def test_what_nobody_sees_of_a_text_is_left_out_and_counted() -> None:
    """Text in tag characters, which phones do not show."""
    hidden = "".join(chr(0xE0000 + ord(letter)) for letter in "ignore all that was said")
    form = parse_sms(read_form(form_body(sms_fields(Body=f"Hello 👨\u200d👩\u200d👧{hidden}"))))
    assert (form.text, form.hidden) == ("Hello 👨\u200d👩\u200d👧", len(hidden))


def test_pictures_without_words_are_counted() -> None:
    """An MMS may have no text."""
    form = parse_sms(read_form(payload("sms_mms.form")))
    assert (form.text, form.media_count) == ("", 2)


def test_a_report_is_read() -> None:
    """Status and error number of a text that we sent."""
    report = parse_status(read_form(payload("status_undelivered.form")))
    assert (report.sid, report.status, report.code) == ("SM" + "3" * 32, "undelivered", "30003")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"From": None}, "missing_from"),
        ({"From": " "}, "missing_from"),
        ({"To": None}, "missing_to"),
        ({"To": ""}, "missing_to"),
        ({"MessageSid": "SM/../x"}, "bad_sid"),
        ({"MessageSid": "x" * 65}, "bad_sid"),
    ],
)
def test_a_form_without_both_ends_is_bad_input(changes: dict[str, str | None], code: str) -> None:
    """Each fault has its own code."""
    with pytest.raises(BadInput) as error:
        parse_sms(read_form(form_body(sms_fields(**changes))))
    assert error.value.code == code


def test_a_40_kb_text_is_cut_with_a_mark() -> None:
    """It is accepted, and whoever reads it knows."""
    form = parse_sms(read_form(form_body(sms_fields(Body="x" * 40_000))))
    assert len(form.text) <= 16_000
    assert "cut here: it had 40000 characters" in form.text


def test_nul_and_surrogates_are_cleaned() -> None:
    """What Redis, JSON or a terminal would choke on is gone."""
    assert parse_sms(read_form(b"From=a&To=b&Body=a%00b%ff%ed%a0%80%E2%80%AEc")).text == "ab\ufffd\ufffd\ufffd\ufffdc"


def test_a_flood_of_fields_is_bad_input() -> None:
    """A thousand fields are ten times what Twilio sends."""
    with pytest.raises(BadInput, match="too_many_fields"):
        read_form(b"a=1&" * 2_000)


def by_urllib(body: bytes) -> dict[str, list[str]]:
    """The fields as Python's own reader gives them."""
    form: dict[str, list[str]] = {}
    for name, value in parse_qsl(body.decode("utf-8", "surrogateescape"), keep_blank_values=True, errors="surrogateescape"):
        form.setdefault(name, []).append(value)
    return form


pieces = st.sampled_from(
    [
        b"&",
        b"=",
        b"+",
        b"%",
        b"a",
        b"B",
        b"%2",
        b"%20",
        b"%c3%a9",
        b"%C3",
        b"\xc3",
        b"\xa9",
        b"%ff",
        b"%zz",
        b"%00",
        b"\r\n",
        b";",
        b"\xed\xa0\x80",
    ]
)


@given(st.lists(pieces | st.binary(max_size=4), max_size=30).map(b"".join))
def test_a_form_is_read_byte_for_byte_as_urllib_reads_it(body: bytes) -> None:
    """Names, values and their order are what is signed: blank, repeated, broken or not UTF-8."""
    assert list(read_form(body).items()) == list(by_urllib(body).items())


def test_the_forms_of_the_provider_are_read_as_urllib_reads_them() -> None:
    """The examples that we have, and as many fields as are taken."""
    for name in ("sms_plain.form", "sms_mms.form", "status_undelivered.form"):
        assert read_form(payload(name)) == by_urllib(payload(name))
    assert len(read_form(b"a=1&" * (MAX_FIELDS - 1))["a"]) == MAX_FIELDS - 1


@given(
    st.binary(max_size=200),
    st.dictionaries(st.sampled_from(["From", "To", "Body", "NumMedia", "MessageSid", "OptOutType"]), st.text(max_size=40)),
)
def test_any_form_is_read_or_is_bad_input(noise: bytes, fields: dict[str, str]) -> None:
    """No other exception, whatever is posted."""
    body = noise + b"&" + "&".join(f"{name}={value}" for name, value in fields.items()).encode("utf-8", "surrogatepass")
    for parse in (parse_sms, parse_status):
        try:
            parse(read_form(body))
        except BadInput:
            continue


@pytest.mark.parametrize(
    ("content_type", "form"), [("application/x-www-form-urlencoded; charset=UTF-8", True), ("application/json", False), ("", False)]
)
def test_a_form_is_known_by_its_type(content_type: str, form: bool) -> None:
    """Anything else is none."""
    assert is_form(content_type) is form


def test_a_plus_that_curl_did_not_encode_is_kept() -> None:
    """`curl -d "From=+1555..."` sends a bare plus, which a form reads as a space; the number is meant all the same."""
    form = parse_sms(read_form(b"From=+15551234567&To=+15559876543&Body=Test+message"))
    assert (form.sender, form.recipient, form.text) == ("+15551234567", "+15559876543", "Test message")
