"""The format of mails: what the model is shown, and the command made of its answer. Pure.

Recipient, subject and thread headers come from the received mail and from nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from shared.model.addresses import Address
from shared.model.channels import opening_event
from shared.model.events import EmailReceived, Received, Response, SendEmailResponse
from shared.model.folds import Fold
from shared.model.text import clean
from shared.model.words import DEFAULT, said
from supervisor_worker.channels.markdown.blocks import cleaned
from supervisor_worker.channels.marked_text import laid_out
from supervisor_worker.channels.notes import count, left_out, note, theirs
from supervisor_worker.channels.sendgrid import forwarded, parts

MAX_MAIL_BYTES: Final = 50_000
"""Bytes of a mail's plain text, and of its HTML."""
MAX_SUBJECT: Final = 200
MAX_REFERENCES: Final = 50
MAX_ID: Final = 400

_RE: Final = re.compile(r"\s*re\s*(?:\[\d{1,3}\]|\(\d{1,3}\))?\s*[:\uff1a]\s*", re.IGNORECASE)
_ID: Final = re.compile(r"<[^<>\s\x00-\x1f\x7f]+>")
MAX_NAMED_FILES: Final = 10
MAX_NAMED_OTHERS: Final = 5
_BOSS_IS: Final = {"cc": "you are in Cc", "bcc": "you are in Bcc"}
RULES: Final = """\
Your answer is sent as the body of an e-mail. Write only the body: the subject and the headers are set for you. Short paragraphs \
with an empty line between them. Markdown is shown as it is meant, and as readable plain text where a mail program shows no more: use \
it where it helps (lists, links, a table, code), and headings only in a long answer. No HTML and no pictures: both are shown as the \
letters that they are. Be as long as the matter needs and no longer. Do not quote the message that you answer. A greeting and a \
closing are not needed."""


@dataclass(frozen=True, slots=True)
class EmailFormat:
    """See `supervisor_worker.channels.formats.MessageFormat`. `boss_name` is whom a mail is from; '' for its address alone.

    `language` is the reader's, for what is ours.
    """

    boss_name: str = ""
    language: str = DEFAULT

    @property
    def rules(self) -> str:
        """In what form an answer is written."""
        return RULES

    def shown(self, event: Received, pictures: Mapping[tuple[str, str], int] | None, folds: Sequence[Fold] = ()) -> list[str]:
        """Subject, recipients, the body with notes around what others wrote, the names of the attachments, and where it ends."""
        del pictures
        mail = of(event)
        if mail.via:
            return forwarded.shown(mail)
        subject = " ".join(theirs(mail.subject).split())
        head = note(f"A mail. Subject: {subject}" if subject else "A mail without a subject")
        return [
            head,
            _recipients(mail),
            laid_out(mail.body, mail.marks, folds),
            _files(() if mail.files else mail.attachments),
            left_out(mail.hidden),
            note("End of the mail"),
        ]

    def reply(self, event: Received, text: str, reply_id: str) -> Response:
        """An answer in the mail's thread; about a mail by a forwarding address, in one of its own, which its author has no part in."""
        mail = of(event)
        body, html = parts.of(cleaned(text), MAX_MAIL_BYTES)
        answer = SendEmailResponse(
            to=mail.from_,
            from_=mail.to,
            subject=forwarded.subject_of(mail, self.language) if mail.via else subject_for(mail.subject, self.language),
            body=body,
            html=html,
            from_name=self.boss_name,
            user=mail.user,
            message_id=f"<{reply_id}@{mail.to.domain}>",
            in_reply_to=mail.message_id if _is_id(mail.message_id) and not mail.via else "",
            references=() if mail.via else references_for(mail),
        )
        return _opens(mail, answer) if mail.briefing else answer

    def continued(self, event: Received, text: str, reply_id: str) -> Response:
        """No mail leaves anything to be continued: as a reply."""
        return self.reply(event, text, reply_id)

    def opening(self, event: Received, text: str, reply_id: str) -> Response:
        """A mail that begins a thread: `event` names its subject and its id."""
        return _opens(of(event), self.reply(event, text, reply_id))

    def announced(self, event: Received, text: str, reply_id: str) -> Response:
        """Line by line, each as it stands."""
        return self.opening(event, "\n".join(forwarded.literal(line) for line in text.splitlines()), reply_id)

    def ask_shorter(self, command: Response) -> str:
        """No mail is too long: beyond MAX_MAIL_BYTES it is cut."""
        del command
        return ""

    def figures(self, command: Response) -> dict[str, int | str]:
        """Every mail costs the same."""
        del command
        return {}

    def notice_event(self, ends: tuple[Address, Address], notice_id: str, user: str, subject: str, at: float) -> Received:
        """A mail that begins a thread: its id is the notice's own, so that an answer to it finds its conversation."""
        return of(opening_event(ends, notice_id, user, subject, at))


def of(event: Received) -> EmailReceived:
    """The event as a mail; TypeError for any other."""
    if not isinstance(event, EmailReceived):
        raise TypeError(f"not a mail: {event.type}")
    return event


def _opens(mail: EmailReceived, answer: Response) -> Response:
    """As a mail that begins the thread of what it answers, which nobody has seen."""
    return replace(answer, subject=mail.subject, message_id=mail.message_id, in_reply_to="", references=())  # type: ignore[call-arg]


def _recipients(mail: EmailReceived) -> str:
    """Who else was written to, and how the Boss was; '' where the mail went to the Boss alone."""
    names = [" ".join(theirs(name).split()) for name in mail.others[:MAX_NAMED_OTHERS]]
    more = [f"{len(mail.others) - MAX_NAMED_OTHERS} more"] if len(mail.others) > MAX_NAMED_OTHERS else []
    to = f"It was {'also ' if mail.addressed == 'to' else ''}sent to {', '.join([*names, *more])}" if names else ""
    words = "; ".join(filter(None, (to, _BOSS_IS.get(mail.addressed, ""))))
    return note(words[:1].upper() + words[1:]) if words else ""


def _files(names: Sequence[str]) -> str:
    if not names:
        return ""
    shown = ", ".join(" ".join(theirs(name).split())[:100] for name in names[:MAX_NAMED_FILES])
    more = f", and {len(names) - MAX_NAMED_FILES} more" if len(names) > MAX_NAMED_FILES else ""
    return note(f"{count(len(names), 'attachment')} you cannot open: {shown}{more}")


def subject_for(subject: str, language: str = DEFAULT) -> str:
    """The subject with exactly one "Re:", on one line."""
    rest = " ".join(clean(subject[: 20 * MAX_SUBJECT]).split())
    while found := _RE.match(rest):
        rest = rest[found.end() :]
    return f"Re: {rest[:MAX_SUBJECT].strip() or said('reply_subject', language)}"


def references_for(event: EmailReceived) -> tuple[str, ...]:
    """The parent's References (or its In-Reply-To) and its own id; of a very long thread the root and the newest."""
    before = event.references or tuple(_ID.findall(event.in_reply_to)[:2])
    if not event.references and len(before) > 1:  # RFC 5322: only a single id can stand for the thread
        before = ()
    ids = list(dict.fromkeys(name for name in before if _is_id(name) and name != event.message_id))
    if _is_id(event.message_id):
        ids.append(event.message_id)
    return tuple(ids if len(ids) <= MAX_REFERENCES else [ids[0], *ids[1 - MAX_REFERENCES :]])


def _is_id(name: str) -> bool:
    return len(name) <= MAX_ID and _ID.fullmatch(name) is not None
