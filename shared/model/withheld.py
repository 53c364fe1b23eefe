"""Mails beyond the day's bound of their forwarding address, as a digest names them: a line of JSON each, kept in the digest's record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from shared.errors import BadInput
from shared.model import codec
from shared.model.events import EmailReceived
from shared.model.text import one_line

DIGEST: Final = "forwarding_digest"
"""The code of the notice that names what was withheld of one day."""
MAX_WORDS: Final = 120
"""Characters of an author, and of a subject."""


@dataclass(frozen=True, slots=True)
class WithheldMail:
    """When it came, in UTC epoch seconds; who wrote it, as its From says; its subject; and how many files came with it."""

    at: int
    author: str
    subject: str
    files: int = 0


def line_of(mail: EmailReceived) -> str:
    """What a digest says of a mail. It has no line end within."""
    author, subject = (one_line(text, MAX_WORDS) for text in (mail.author, mail.subject))
    return codec.dumps([int(mail.received_at), author, subject, len(mail.attachments)])


def read(lines: str) -> tuple[WithheldMail, ...]:
    """The mails of a digest, in the order in which they came; what cannot be read is left out."""
    return tuple(_each(lines))


def _each(lines: str) -> Iterator[WithheldMail]:
    for line in lines.splitlines():
        try:
            at, author, subject, files = codec.loads(line)
            yield WithheldMail(int(at), str(author), str(subject), int(files))
        except (BadInput, TypeError, ValueError):
            continue
