"""Delivery errors in plain sentences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.delivery_errors import OPTED_OUT, SENDGRID, TWILIO, sentence
from shared.observability.redaction import mask


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("30003", "off, out of range"),
        ("30004", "block"),
        ("30005", "does not know this number"),
        ("30006", "landline"),
        ("30007", "filtered"),
        ("30008", "does not say why"),
        ("30032", "toll-free"),
        ("30034", "A2P"),
        ("21610", "opted out"),
        ("21614", "not a mobile"),
        ("63034", "too large"),
        ("21635", "landline"),
        ("21659", "not one of the Twilio account's"),
        ("21660", "another Twilio account"),
        ("30044", "too long for a trial account"),
        ("63038", "limit of a day is used up"),
        ("31999", "follows from the HTTP status"),
        ("5.1.1", "does not exist. (SMTP 5.1.1)"),
        ("5.1.10", "takes no mail"),
        ("4.2.2", "full. (SMTP 4.2.2, for now)"),
        ("5.7.26", "DMARC"),
        ("5.7.99", "refuses the mail for its rules"),
        ("5.0.0", "refused the mail. (SMTP 5.0.0)"),
        ("5.9.9", "refused the mail"),
        ("bounced_address", "bounce list"),
        ("unsubscribed_address", "unsubscribed"),
        ("blocked", "for now"),
        ("http_413", "HTTP status 413"),
    ],
)
def test_a_known_code_has_its_sentence(code: str, words: str) -> None:
    """Twilio's numbers, RFC 3463's three figures by detail, subject or class, SendGrid's words."""
    assert words in sentence(code)


@pytest.mark.parametrize("code", ["31999", "1", "no_answer", "5.7", "9.1.1", "²"])
def test_an_unknown_code_gets_a_general_sentence_with_the_code(code: str) -> None:
    """The providers add new ones."""
    assert code in sentence(code)


def test_no_code_needs_no_sentence() -> None:
    """A message that arrived has none."""
    assert sentence("") == ""


def test_every_row_is_a_sentence_without_an_address() -> None:
    """As it stands in a terminal, and in the ledger's reader."""
    for text in [*(row.sentence for row in TWILIO.values()), *SENDGRID.values()]:
        assert text.endswith(".")
        assert mask(text) == text


def test_one_number_is_an_opt_out() -> None:
    """More would silence people who did not ask for it."""
    assert frozenset({"21610"}) == OPTED_OUT


@given(st.text(max_size=20))
def test_whatever_a_provider_says_there_is_a_sentence(code: str) -> None:
    """No exception, and not an empty one."""
    assert bool(sentence(code)) is bool(code)
