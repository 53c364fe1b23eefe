"""Programs that answer mail: each takes one that a Boss wrote and makes what the program would send. Pure; the router carries it.

What they say about themselves differs, from all that RFC 3834 asks for to nothing at all.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail on its way to `recipient`, one address; `to` is what its header says. A `return_path` of None is the sender's own address."""

    sender: str
    recipient: str
    subject: str
    text: str
    message_id: str
    to: str = ""
    in_reply_to: str = ""
    references: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    return_path: str | None = None

    def fields(self) -> JsonObject:
        """What the sandbox is told, to post it."""
        return {
            "from_": self.sender, "to": self.to or self.recipient, "envelope_to": [self.recipient], "subject": self.subject,
            "message_id": self.message_id, "in_reply_to": self.in_reply_to or None, "references": self.references or None,
            "headers": dict(self.headers), "envelope_from": self.return_path,
        }  # fmt: skip


MailAnswer = Callable[[Mail, int], Sequence[Mail]]
"""What a program sends for the mail that it got, which is its so many-th."""
_NAMED: Final = frozenset({"message-id", "in-reply-to", "references"})
_TICKET: Final = re.compile(r"\[Ticket #\d+\] ")
_ANSWER: Final = re.compile(r"^(?:Re: )+")


def sent(request: JsonObject) -> Mail:
    """A mail of ours, as the journal has it."""
    headers = {name.lower(): value for name, value in request["headers"].items()}
    return Mail(
        sender=f"{request['from_name']} <{request['from']}>",
        recipient=request["to"],
        subject=request["subject"],
        text=request["text"],
        message_id=request["message_id"],
        in_reply_to=headers.get("in-reply-to", ""),
        references=headers.get("references", ""),
        headers={name: value for name, value in headers.items() if name not in _NAMED},
    )


def vacation(mail: Mail, number: int) -> list[Mail]:
    """A vacation responder as RFC 3834 wants it, but for its answering every mail."""
    signs = {"Auto-Submitted": "auto-replied (vacation)", "Precedence": "bulk"}
    return [_answer(mail, number, f"Away: {mail.subject}", "I am away until Monday.", headers=signs, return_path="")]


def exchange(mail: Mail, number: int) -> list[Mail]:
    """Exchange behind a gateway that takes its headers away: what is left is the subject, and what it answers."""
    return [_answer(mail, number, f"Automatic reply: {mail.subject}", "I am out of the office.")]


def fixed_words(mail: Mail, number: int) -> list[Mail]:
    """A responder that says nothing of what it is, and always the same."""
    return [_answer(mail, number, _re(mail.subject), "Thank you for your mail. I read mail on Mondays.")]


def changing_words(mail: Mail, number: int) -> list[Mail]:
    """The same, which writes a number into each answer."""
    return [_answer(mail, number, _re(mail.subject), f"Your mail was put down under number {number}.")]


def bounce(mail: Mail, number: int) -> list[Mail]:
    """A mail system's delivery report: the null return path."""
    report = {"Content-Type": "multipart/report; report-type=delivery-status; boundary=b"}
    words = f"Your message could not be delivered ({number})."
    return [_answer(mail, number, "Undelivered Mail Returned to Sender", words, headers=report, return_path="")]


def plain_bounce(mail: Mail, number: int) -> list[Mail]:
    """A report that an old mail system writes in its user's name: a return path, no type, no id of what it answers."""
    words = f"The following message was not delivered. Queue id {number:08X}.\n\n{_quoted(mail.text)}"
    return [_new(mail, number, f"Undeliverable: {mail.subject}", words)]


def ticket(mail: Mail, number: int) -> list[Mail]:
    """A ticket system: no header but its own id, its number in the subject, a new text each time and ours below it."""
    subject = mail.subject if _TICKET.search(mail.subject) else f"[Ticket #{number}] {mail.subject}"
    return [_new(mail, number, f"Re: {_ANSWER.sub('', subject)}", f"Update {number}: we are looking into it.\n\n{_quoted(mail.text)}")]


def new_ticket(mail: Mail, number: int) -> list[Mail]:
    """One that takes each mail for a new request, and confirms each in the same words."""
    words = f"We have received your request and will answer soon.\n\n{_quoted(mail.text)}"
    return [_new(mail, number, f"[Ticket #{number}] {_TICKET.sub('', _ANSWER.sub('', mail.subject))}", words)]


def mailing_list(subscribers: Sequence[str], *, marked: bool, kept: bool) -> MailAnswer:
    """A list that sends each posting to all, its author too, in its own name, and has answers come to itself.

    `marked`: it says that it is one. `kept`: it leaves the posting's headers and id as they are.
    """

    def distribute(mail: Mail, number: int) -> list[Mail]:
        name = mail.recipient
        signs = {"List-Id": f"<{name.replace('@', '.')}>", "List-Post": f"<mailto:{name}>", "Precedence": "list"} if marked else {}
        signs |= {"Reply-To": name, **(mail.headers if kept else {})}
        return [
            Mail(
                sender=f"Boss via Friends <{name}>", recipient=each, to=name, text=mail.text,
                subject=f"[Friends] {mail.subject.removeprefix('[Friends] ')}",
                message_id=mail.message_id if kept else _id(name, number), references=mail.references, headers=signs,
                in_reply_to=mail.in_reply_to, return_path=name.replace("@", "-bounces@") if marked else None,
            )
            for each in subscribers
        ]  # fmt: skip

    return distribute


def passed_on(mail: Mail, *, stripped: bool) -> Mail:
    """A mail of ours as it reaches another copy of the product; a gateway has `stripped` it of what says that a program wrote it."""
    return Mail(
        sender=mail.sender, recipient=mail.recipient, subject=mail.subject, text=mail.text, message_id=mail.message_id,
        in_reply_to=mail.in_reply_to, references=mail.references, headers={} if stripped else mail.headers,
    )  # fmt: skip


def beginning(sender: str, recipient: str, number: int, words: str) -> Mail:
    """A mail that begins a thread, as a person would write it."""
    return Mail(sender=sender, recipient=recipient, subject=f"Question {number}", text=words, message_id=_id(sender, number))


def _answer(mail: Mail, number: int, subject: str, text: str, **more: Any) -> Mail:
    """One that names what it answers."""
    row = f"{mail.references} {mail.message_id}".strip()
    return _mail(mail, number, subject, text, in_reply_to=mail.message_id, references=row, **more)


def _new(mail: Mail, number: int, subject: str, text: str) -> Mail:
    """One that names nothing."""
    return _mail(mail, number, subject, text)


def _mail(mail: Mail, number: int, subject: str, text: str, **more: Any) -> Mail:
    name, boss = mail.recipient, mail.sender.rpartition("<")[2].rstrip(">")
    return Mail(sender=name, recipient=boss, subject=subject, text=text, message_id=_id(name, number), **more)


_ids: Iterator[int] = itertools.count(1)


def _id(address: str, number: int) -> str:
    return f"<{number}.{next(_ids)}@{address.rpartition('@')[2]}>"


def _re(subject: str) -> str:
    return f"Re: {_ANSWER.sub('', subject)}"


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.splitlines())
