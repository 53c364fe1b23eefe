"""What a mail by a forwarding address is to the mailbox: in whose bound it counts, what it is found by, what a digest says of it. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from shared.mailbox.calls import ForwardingBounds
from shared.model.addresses import Identities, masked
from shared.model.events import EmailReceived, Received
from shared.model.withheld import line_of

PART_OF_ONE_AUTHOR: Final = 4
"""One author has this part of a day's bound, so that whoever writes most does not take it from all others."""


def bounds_of(event: Received, identities: Identities, most: int) -> ForwardingBounds | None:
    """The bounds of a mail that came by a forwarding address, `most` of which are answered in a day; None for a person's own message."""
    if not (isinstance(event, EmailReceived) and event.via):
        return None
    author = identities.claimed(event.author_address)
    notice = replace(event, body="", subject="", marks=(), files=(), attachments=(), author="", proof="", message_id="", references=())
    return ForwardingBounds(
        most, max(1, most // PART_OF_ONE_AUTHOR), author, identities.digest(event.via, event.user), line_of(event), notice
    )  # fmt: skip


def sender_of(event: Received, identities: Identities) -> str:
    """The id of whoever a message's turns, tokens and waiting count for: the forwarding address that it came by, else its sender."""
    return identities.forwarding(event.forwarding, event.user) if event.forwarding else identities.sender(event.from_)


def index_of(event: Received, identities: Identities) -> list[str]:
    """The ids by which a message is found, besides those of its user, sender and conversation."""
    header = [identities.message_id(event.header_id)] if event.header_id else []
    if not (isinstance(event, EmailReceived) and event.via):
        return header
    return [
        *header,
        identities.claimed(event.via),
        identities.claimed(event.author_address),
        identities.shown(masked(event.author_address)),
    ]


def who(event: Received) -> str:
    """Who wrote to whom, masked."""
    if isinstance(event, EmailReceived) and event.via:
        return f"{masked(event.author_address)} to {masked(event.via)}"
    return f"{event.from_.masked()} to {event.to.masked()}"
