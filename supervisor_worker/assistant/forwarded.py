"""What code says to a person of the mails by their forwarding addresses: who wrote one, that it could not be read, the digest. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo

from shared.mailbox.records import Message
from shared.model import words
from shared.model.events import EmailReceived, Received
from shared.model.withheld import DIGEST, WithheldMail
from shared.model.words import said
from supervisor_worker.channels.sendgrid.forwarded import headline, literal


def above(event: Received, language: str) -> str:
    """What stands above every answer about a message: who wrote it, of a mail by a forwarding address; else ''."""
    return headline(event, language) if isinstance(event, EmailReceived) and event.via else ""


def answer(event: Received, text: str, language: str) -> str:
    """The answer about a message, below what stands above it. About a mail by a forwarding address it is never empty."""
    head = above(event, language)
    return f"{head}\n\n{text or nothing_to_say(language)}" if head else text


def nothing_to_say(language: str) -> str:
    """What is said of such a mail of which the model says nothing."""
    return said("forwarded_nothing", language)


def notice(message: Message, event: EmailReceived, until: datetime, language: str) -> tuple[EmailReceived, str]:
    """A notice about such a mail, or the digest: the event, with its subject, and the text.

    `until`, in the reader's zone, is when answers go on.
    """
    if message.notice != DIGEST:
        waits = message.notice in ("waits_day", "waits_share")
        name = f"forwarded_{message.notice}" if waits else "forwarded_failed"
        return event, answer(event, said(name, language, when=words.from_when(until, language)), language)
    n = message.withheld_count
    subject = words.counted("digest_subject", n, language)
    return replace(event, subject=subject), digest(event.via, message.withheld, n, until.tzinfo or UTC, language)


def digest(via: str, mails: Sequence[WithheldMail], count: int, at: tzinfo, language: str) -> str:
    """The list of what was withheld of a day, in Markdown; `count` mails came, of which `mails` are known."""
    lines = [f"- {_line(mail, at, language)}" for mail in mails]
    if count > len(mails):
        lines.append(f"- {words.counted('digest_more', count - len(mails), language)}")
    return "\n\n".join([said("digest_before", language, via=literal(via)), "\n".join(lines), said("digest_behind", language)])


def _line(mail: WithheldMail, at: tzinfo, language: str) -> str:
    when = words.date_and_time(datetime.fromtimestamp(mail.at, at), language)
    return f"{when}: {literal(mail.author)}: {literal(mail.subject or said('no_subject', language))}{_files(mail, language)}"


def _files(mail: WithheldMail, language: str) -> str:
    return words.counted("digest_file", mail.files, language) if mail.files else ""
