"""What code says to a person of the mails by their forwarding addresses: who wrote one, that it could not be read, the digest. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import Final

from shared.mailbox.records import Message
from shared.model.events import EmailReceived, Received
from shared.model.withheld import DIGEST, WithheldMail
from supervisor_worker.channels.sendgrid.forwarded import NO_SUBJECT, headline, literal

NOTHING_TO_SAY: Final = "I have nothing to say about it."
FAILED: Final = (
    "I could not read it: something went wrong on my side, and whoever runs me can have me try again. Who wrote it was told nothing."
)
WAITS: Final = "I have used up what I may think about today, and will tell you what it says {when}."
SHARE: Final = "I have used up what I may think about such mails in a day, and will tell you what it says, and others that come in, {when}."
_NOTICES: Final = {"waits_day": WAITS, "waits_share": SHARE}
_BEFORE: Final = "More mails came in at {via} than I read in a day. These I did not read, and nobody who wrote one was told anything:"
_BEHIND: Final = "Ask me here about one of them, within a week: I have kept what they say, as far as there was room."
_MORE: Final = "and {n} more, of which I kept nothing"


def above(event: Received) -> str:
    """What stands above every answer about a message: who wrote it, of a mail by a forwarding address; else ''."""
    return headline(event) if isinstance(event, EmailReceived) and event.via else ""


def answer(event: Received, text: str) -> str:
    """The answer about a message, below what stands above it. About a mail by a forwarding address it is never empty."""
    head = above(event)
    return f"{head}\n\n{text or NOTHING_TO_SAY}" if head else text


def notice(message: Message, event: EmailReceived, when: str, at: tzinfo) -> tuple[EmailReceived, str]:
    """A notice about such a mail, or the digest: the event, with its subject, and the text. `when` is when answers go on."""
    if message.notice != DIGEST:
        return event, answer(event, _NOTICES.get(message.notice, FAILED).replace("{when}", when))
    n = message.withheld_count
    named = replace(event, subject="1 more mail" if n == 1 else f"{n} more mails")
    return named, digest(event.via, message.withheld, n, at)


def digest(via: str, mails: Sequence[WithheldMail], count: int, at: tzinfo) -> str:
    """The list of what was withheld of a day, in Markdown; `count` mails came, of which `mails` are known."""
    lines = [f"- {_when(mail, at)}: {literal(mail.author)}: {literal(mail.subject or NO_SUBJECT)}{_files(mail)}" for mail in mails]
    if count > len(mails):
        lines.append(f"- {_MORE.format(n=count - len(mails))}")
    return "\n\n".join([_BEFORE.format(via=literal(via)), "\n".join(lines), _BEHIND])


def _when(mail: WithheldMail, at: tzinfo) -> str:
    local = datetime.fromtimestamp(mail.at, at)
    return f"{local.day} {local:%B, %H:%M}"


def _files(mail: WithheldMail) -> str:
    return f" (with {mail.files} file{'s' if mail.files > 1 else ''}, not kept)" if mail.files else ""
