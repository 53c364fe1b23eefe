"""From the model's words to the command that is stored and sent. Pure.

Recipient, subject and thread headers come from the received message and from nowhere else.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from shared.model.events import EmailReceived, Received, Response, SendEmailResponse, SendSmsResponse
from shared.model.text import clean
from supervisor_worker.assistant.prompt import SMS_LIMIT

CUT_MARK: Final = " [...]"
MAX_MAIL_BYTES: Final = 50_000
MAX_SUBJECT: Final = 200
MAX_REFERENCES: Final = 50
MAX_ID: Final = 400

_RE: Final = re.compile(r"\s*re\s*(?:\[\d{1,3}\]|\(\d{1,3}\))?\s*[:\uff1a]\s*", re.IGNORECASE)
_ID: Final = re.compile(r"<[^<>\s\x00-\x1f\x7f]+>")
_SENTENCE_END: Final = re.compile(r"""[.!?\u2026\u3002\uff01\uff1f]["')\]\u201d\u2019]*(?=\s|$)|[\u3002\uff01\uff1f]""")
_MARKDOWN: Final = (
    (re.compile(r"^```.*$\n?", re.MULTILINE), ""),
    (re.compile(r"^[ \t]{0,3}#{1,6}[ \t]+", re.MULTILINE), ""),
    (re.compile(r"(?<!\w)\*\*(\S(?:[^*\n]*\S)?)\*\*(?!\w)"), r"\1"),
    (re.compile(r"`([^`\n]+)`"), r"\1"),
)


def command_for(event: Received, text: str, reply_id: str) -> Response:
    """The answer `text` to `event`, ready to be stored."""
    if isinstance(event, EmailReceived):
        return _mail(event, text, reply_id)
    return SendSmsResponse(to=event.from_, from_=event.to, message=cut(sms_text(text), SMS_LIMIT), user=event.user)


def opening(event: Received, text: str, reply_id: str) -> Response:
    """A message that answers none: `event` names both ends, and for a mail the subject and the id that begins its thread."""
    command = command_for(event, text, reply_id)
    if not isinstance(event, EmailReceived) or not isinstance(command, SendEmailResponse):
        return command
    return replace(command, subject=event.subject, message_id=event.message_id, in_reply_to="", references=())


def _mail(event: EmailReceived, text: str, reply_id: str) -> SendEmailResponse:
    return SendEmailResponse(
        to=event.from_,
        from_=event.to,
        subject=subject_for(event.subject),
        body=cut_mail(clean(text).strip()),
        user=event.user,
        message_id=f"<{reply_id}@{event.to.domain}>",
        in_reply_to=event.message_id if _is_id(event.message_id) else "",
        references=references_for(event),
    )


def subject_for(subject: str) -> str:
    """The subject with exactly one "Re:", on one line."""
    rest = " ".join(clean(subject[: 20 * MAX_SUBJECT]).split())
    while found := _RE.match(rest):
        rest = rest[found.end() :]
    return f"Re: {rest[:MAX_SUBJECT].strip() or 'your message'}"


def references_for(event: EmailReceived) -> tuple[str, ...]:
    """The parent's References (or its In-Reply-To) and its own id; of a very long thread the root and the newest."""
    before = event.references or tuple(_ID.findall(event.in_reply_to)[:2])
    if not event.references and len(before) > 1:  # RFC 5322: only a single id can stand for the thread
        before = ()
    ids = list(dict.fromkeys(name for name in before if _is_id(name) and name != event.message_id))
    if _is_id(event.message_id):
        ids.append(event.message_id)
    return tuple(ids if len(ids) <= MAX_REFERENCES else [ids[0], *ids[1 - MAX_REFERENCES :]])


def sms_text(text: str) -> str:
    """`text` without the marks of Markdown that would stand in a text message as they are."""
    text = clean(text)
    for pattern, replacement in _MARKDOWN:
        text = pattern.sub(replacement, text)
    return text.strip()


def sms_length(text: str) -> int:
    """The length that a provider counts: UTF-16 units, two for an emoji."""
    return len(text.encode("utf-16-le", "replace")) // 2


def cut(text: str, limit: int) -> str:
    """`text` in at most `limit` UTF-16 units: cut after a sentence, else after a word, and marked as cut."""
    return _cut(text, 2 * limit, "utf-16-le")


def cut_mail(text: str) -> str:
    """`text` in at most MAX_MAIL_BYTES of UTF-8, cut likewise."""
    return _cut(text, MAX_MAIL_BYTES, "utf-8")


def _cut(text: str, size: int, encoding: str) -> str:
    whole = text.encode(encoding, "replace")
    if len(whole) <= size:
        return text
    kept = whole[: size - len(CUT_MARK.encode(encoding))].decode(encoding, "ignore")
    return _whole_sentences(kept, at_least=len(kept) // 2) + CUT_MARK


def cut_short(text: str) -> str:
    """A text that broke off in the middle (the model's limit): back to its last whole sentence, and marked as cut."""
    text = clean(text).strip()
    return _whole_sentences(text, at_least=len(text) // 4) + CUT_MARK if text else ""


def _whole_sentences(text: str, *, at_least: int) -> str:
    ends = [found.end() for found in _SENTENCE_END.finditer(text) if found.end() >= at_least]
    if ends:
        return text[: ends[-1]]
    words, _, _ = text.rpartition(" ")
    return (words if len(words) >= at_least else text).rstrip()


def _is_id(name: str) -> bool:
    return len(name) <= MAX_ID and _ID.fullmatch(name) is not None
