"""The error tables of the message providers, and what is read of their answers."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import formatdate

import pytest

from shared.errors import (
    AccessDenied,
    CredentialsRefused,
    LimitReached,
    OutcomeUnknown,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
)
from shared.model.events import SmsReceived
from supervisor_worker.channels.port import RecipientOptedOut, RecipientUnreachable, SenderUnusable
from supervisor_worker.channels.sendgrid import email as sendgrid_email
from supervisor_worker.channels.twilio import errors
from supervisor_worker.providers.exchange import MAX_RETRY_AFTER_SECONDS, retry_after


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (429, 20429, ProviderUnavailable),
        (429, None, ProviderUnavailable),
        (400, 21611, ProviderUnavailable),
        (401, 20003, CredentialsRefused),
        (403, 20003, CredentialsRefused),
        (403, None, AccessDenied),
        (403, 20006, AccessDenied),
        (403, 99999, AccessDenied),
        (429, 63038, LimitReached),
        (400, 63038, LimitReached),
        (400, 21635, RecipientUnreachable),
        (400, 21659, SenderUnusable),
        (400, 21660, SenderUnusable),
        (400, 30044, ProviderRefused),
        (409, 99999, ProviderRefused),
        (404, 20404, CredentialsRefused),
        (400, 21211, RecipientUnreachable),
        (400, 21610, RecipientOptedOut),
        (400, 21617, ProviderRefused),
        (400, 99999, ProviderRefused),
        (302, None, ProviderRefused),
        (500, 20500, OutcomeUnknown),
        (503, 20503, OutcomeUnknown),
    ],
)
def test_twilios_answers_are_sorted(status: int, code: int | None, kind: type[ProviderError]) -> None:
    """By number where we know it, by status where we do not."""
    error = errors.error_for(status, code, asked=False)
    assert type(error) is kind
    assert error.code == str(code or f"http_{status}")
    if isinstance(error, ProviderRefused):
        assert error.final is (status >= 400 and status != 403)


def test_a_question_that_fails_leaves_nothing_in_doubt() -> None:
    """A 5xx of the message list is an outage, not an unknown outcome."""
    assert type(errors.error_for(503, None, asked=True)) is ProviderUnavailable


def test_nobody_is_told_by_a_number_that_cannot_be_reached() -> None:
    """No notice is sent exactly where it could not arrive."""
    silent = {code for code in errors.KINDS if not errors.error_for(400, code, asked=False).tell_user}
    assert silent == {code for code, kind in errors.KINDS.items() if kind in ("recipient", "sender", "opted_out")}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, ProviderUnavailable),
        (401, CredentialsRefused),
        (402, CredentialsRefused),
        (403, AccessDenied),
        (400, ProviderRefused),
        (413, ProviderRefused),
        (500, OutcomeUnknown),
        (503, OutcomeUnknown),
    ],
)
def test_sendgrids_answers_are_sorted(status: int, kind: type[ProviderError]) -> None:
    """By status: SendGrid has no numbers."""
    assert type(sendgrid_email.error_for(status, {"Retry-After": "3"})) is kind


def test_a_wish_to_wait_is_read_in_all_its_forms() -> None:
    """Seconds, a date, SendGrid's reset time; nonsense is no wish."""
    assert retry_after({"Retry-After": "2.5"}) == 2.5
    assert retry_after({"Retry-After": "-1"}) == 0
    assert 5 < (retry_after({"Retry-After": formatdate(time.time() + 10, usegmt=True)}) or 0) <= 10
    assert 5 < (retry_after({"X-RateLimit-Reset": str(time.time() + 10)}) or 0) <= 10
    assert [retry_after(headers) for headers in ({}, {"Retry-After": "soon"}, {"Retry-After": "inf"}, {"X-RateLimit-Reset": "nan"})] == [
        None
    ] * 4


@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"])
def test_a_date_of_http_is_read_in_each_of_its_forms_against_the_answers_own(form: str) -> None:
    """RFC 9110, 5.6.7. This host's clock may be hours away from the provider's."""
    now = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)
    headers = {"Date": now.strftime("%a, %d %b %Y %H:%M:%S GMT")}
    assert retry_after({**headers, "Retry-After": (now + timedelta(seconds=90)).strftime(form)}) == 90
    assert retry_after({**headers, "Retry-After": (now - timedelta(days=9)).strftime(form)}) == 0
    assert retry_after({**headers, "X-RateLimit-Reset": str(int(now.timestamp()) + 30)}) == 30
    assert retry_after({**headers, "Retry-After": "soon", "X-RateLimit-Reset": str(int(now.timestamp()) + 30)}) == 30


@pytest.mark.parametrize(
    "given", ["inf", "1e400", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT", "nan", "-inf", "Sun, 31 Feb 2026 08:49:37 GMT", "0" * 5000]
)
@pytest.mark.parametrize("name", ["Retry-After", "X-RateLimit-Reset", "Date"])
def test_no_wish_to_wait_is_without_a_bound(name: str, given: str) -> None:
    """Nonsense is no wish, and a day is the longest."""
    seconds = retry_after({"X-RateLimit-Reset": "1e12", name: given})
    assert seconds is None or 0 <= seconds <= MAX_RETRY_AFTER_SECONDS


def test_a_channel_refuses_what_is_not_its_own() -> None:
    """A text is no mail."""
    with pytest.raises(TypeError):
        sendgrid_email.body_of(SmsReceived, {})  # type: ignore[arg-type]
