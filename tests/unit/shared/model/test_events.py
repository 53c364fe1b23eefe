"""The words: frozen, and each knows its conversation."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from shared.model.addresses import EmailAddress, PhoneNumber
from shared.model.events import EmailReceived, SmsReceived


def text(**changes: str) -> SmsReceived:
    """A text from the local user."""
    fields: dict[str, Any] = {"id": "m-1", "message": "hello", "user": "user", "provider_id": "SM1", **changes}
    return SmsReceived(from_=PhoneNumber("+15551234567"), to=PhoneNumber("+15559876543"), **fields)


def mail(message_id: str, in_reply_to: str = "", references: tuple[str, ...] = ()) -> EmailReceived:
    """A mail from the local user, somewhere in a thread."""
    return EmailReceived(
        id="m-" + message_id, from_=EmailAddress("user@example.com"), to=EmailAddress("boss@example.com"), subject="s", body="b",
        user="user", message_id=message_id, in_reply_to=in_reply_to, references=references,
    )  # fmt: skip


def test_events_are_frozen() -> None:
    """Nobody changes a word after it was said."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        text().message = "other"  # type: ignore[misc]


def test_all_texts_of_two_numbers_are_one_conversation() -> None:
    """For ever: neither time nor content splits it."""
    assert text().key() == text(id="m-2", message="x", provider_id="SM2").key()
    assert text().key().channel == "sms"


def test_a_thread_is_one_conversation() -> None:
    """The root's id stays the same for the first mail, its answer, and everything after."""
    first = mail("<1@x>")
    assert first.key() == mail("<2@x>", "<1@x>", ("<1@x>",)).key() == mail("<3@x>", "<2@x>", ("<1@x>", "<2@x>")).key()
    assert first.key() == mail("<2@x>", "<1@x>").key()
    assert first.key() != mail("<9@x>").key()
