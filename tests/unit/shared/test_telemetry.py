"""The last guard of the logs: numbers, addresses and secrets are masked wherever they slip in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.telemetry import MAX_VALUE, mask

numbers = st.from_regex(r"\+[1-9][0-9]{7,14}", fullmatch=True)
mails = st.from_regex(r"[a-z0-9.+_-]{1,20}@[a-z0-9]{1,10}\.[a-z]{2,5}", fullmatch=True)
around = st.text(alphabet=" .,;:!?<>()[]\"'\n=/", max_size=5)


@given(around, numbers, around)
def test_a_number_is_masked_anywhere(before: str, number: str, after: str) -> None:
    """In a sentence, a tuple, a URL's query."""
    assert number[1:] not in mask(before + number + after)


@given(around, mails, around)
def test_an_address_is_masked_anywhere(before: str, address: str, after: str) -> None:
    """Neither its name nor its domain stays."""
    masked = mask(before + address + after)
    assert address not in masked
    assert "@" + address.partition("@")[2] not in masked


@pytest.mark.parametrize(
    "text",
    [
        "Max retries exceeded with url: /Messages.json?To=%2B15551234567&PageSize=5",
        "GET /v3/messages?query=to_email%3D%22canary%40example.com%22",
        "redis://:canary15551234567@host:6379/0",
        "rediss://boss:canary@host/0 is away",
        "POST /email/inbound?token=canary15551234567 403",
        "key sk-ant-canary15551234567 refused", "SG.canary.15551234567 refused",
        "Authorization: Bearer canary15551234567", "authorization: Basic Y2FuYXJ5OjE1NTUxMjM0NTY3",
        "password=canary15551234567&x=1", "RuntimeError('+15551234567')", "mailto:canary@example.com",
    ],
)  # fmt: skip
def test_what_libraries_put_into_errors_is_masked(text: str) -> None:
    """Connection errors quote whole URLs, and URLs quote numbers, addresses and logins."""
    masked = mask(text)
    for part in ("canary", "15551234567", "Y2FuYXJ5"):
        assert part not in masked


@pytest.mark.parametrize(
    "text", ["c-0123456789abcdef01234567", "m-00112233445566778899aabb", "turn finished, 15 messages in 1234567 ms", "2026-11-22T20:54:00"]
)
def test_ids_and_figures_stay_readable(text: str) -> None:
    """What the log is for."""
    assert mask(text) == text


@given(st.integers(MAX_VALUE - 40, MAX_VALUE + 5))
def test_cutting_long_values_leaves_no_half_address(position: int) -> None:
    """A value that is cut in the middle of an address shows no half of it."""
    for canary in ("+15551234567", "canarycanary@example.com"):
        masked = mask("." * (position - 1) + " " + canary + " and more")
        assert "canary" not in masked
        assert "555" not in masked
        assert len(masked) <= MAX_VALUE + 40


@given(st.text(max_size=200))
def test_masking_twice_changes_nothing(text: str) -> None:
    """A line may pass two handlers."""
    assert mask(mask(text)) == mask(text)
