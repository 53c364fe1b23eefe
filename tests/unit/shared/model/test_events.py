"""The words: frozen, and each knows its conversation."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from shared.model.addresses import EmailAddress, PhoneNumber
from shared.model.events import EmailReceived, SmsReceived
from shared.model.media import Media


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


def test_a_message_knows_what_came_along_and_whether_anything_was_written() -> None:
    """A subject is words too; files that are told of apart count no more, and those of which nothing is known stay counted."""
    media = tuple(Media(f"ME{number:032x}") for number in range(3))
    several = dataclasses.replace(text(message=" "), media=media, media_count=5)
    assert (several.is_wordless, several.file_count) == (True, 5)
    rest = several.without_media({media[0].id, media[2].id})
    assert (rest.media, rest.file_count) == ((media[1],), 3)
    assert several.without_media(()) is several
    silent = dataclasses.replace(mail("<a@x>"), subject=" ", body="\n", attachments=("a.amr", "b.amr"))
    assert (silent.is_wordless, silent.file_count, silent.without_media({"a"})) == (True, 2, silent)
    assert not text().is_wordless
    assert not mail("<a@x>").is_wordless
    assert not dataclasses.replace(silent, subject="Memo").is_wordless
