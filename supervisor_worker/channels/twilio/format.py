"""The format of text messages: what the model is shown, and the command made of its answer. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from shared.model.addresses import Address, PhoneNumber
from shared.model.events import Received, Response, SendSmsResponse, SmsReceived
from shared.model.folds import Fold
from shared.model.text import clean
from supervisor_worker.channels.notes import capped, count, left_out, note, picture_mark
from supervisor_worker.channels.truncation import CUT_MARK, cut

SMS_LIMIT: Final = 1_600
"""UTF-16 units of one text (Twilio's limit)."""
SMS_SHORTER: Final = 1_200
RULES: Final = """\
Your answer is sent as a text message. Keep it short: one to three sentences, 320 characters if you can, and never more than \
1,600. Plain text only: no Markdown, no headings, no bullet characters, no tables. Avoid emoji and typographic quotes, which make \
a text message longer. Several texts that came in together are shown as one message; answer all of them at once."""
_MARKDOWN: Final = (
    (re.compile(r"^```.*$\n?", re.MULTILINE), ""),
    (re.compile(r"^[ \t]{0,3}#{1,6}[ \t]+", re.MULTILINE), ""),
    (re.compile(r"(?<!\w)\*\*(\S(?:[^*\n]*\S)?)\*\*(?!\w)"), r"\1"),
    (re.compile(r"`([^`\n]+)`"), r"\1"),
)


class SmsFormat:
    """See `supervisor_worker.channels.formats.MessageFormat`."""

    rules = RULES

    def shown(self, event: Received, pictures: Mapping[tuple[str, str], int] | None, folds: Sequence[Fold] = ()) -> list[str]:
        """The text, the files that came with it, and what was left out of it."""
        del folds  # nobody quotes in a text
        return [capped(event.text), _came_along(of(event), pictures), left_out(event.hidden)]

    def reply(self, event: Received, text: str, reply_id: str) -> Response:
        """Plain text, cut to one message."""
        return self.continued(event, sms_text(text), reply_id)

    def continued(self, event: Received, text: str, reply_id: str) -> Response:
        """As much as one message has room for; nothing is converted a second time."""
        del reply_id
        text_event = of(event)
        message = cut(text, 2 * SMS_LIMIT, "utf-16-le")
        rest = "" if message == text else text[len(message) - len(CUT_MARK) :].strip()
        return SendSmsResponse(to=text_event.from_, from_=text_event.to, message=message, user=event.user, rest=rest)

    def opening(self, event: Received, text: str, reply_id: str) -> Response:
        """As a reply: a text message has no headers that refer to another one."""
        return self.reply(event, text, reply_id)

    def ask_shorter(self, text: str) -> str:
        """Twilio rejects longer texts."""
        if sms_length(sms_text(text)) <= SMS_LIMIT:
            return ""
        return (
            f"This answer is too long for a text message. Give it again in at most {SMS_SHORTER:,} characters, "
            "with what matters most. Write only the answer."
        )

    def notice_event(self, ends: tuple[Address, Address], notice_id: str, user: str, subject: str, at: float) -> Received:
        """An empty text."""
        del subject
        boss, own = ends
        if not (isinstance(boss, PhoneNumber) and isinstance(own, PhoneNumber)):
            raise TypeError("not phone numbers")
        return SmsReceived(id=notice_id, from_=own, to=boss, message="", user=user, provider_id="", received_at=at)


def of(event: Received) -> SmsReceived:
    """The event as a text; TypeError for any other."""
    if not isinstance(event, SmsReceived):
        raise TypeError(f"not a text: {event.type}")
    return event


def _came_along(event: SmsReceived, shown: Mapping[tuple[str, str], int] | None) -> str:
    """The files of a text: what the model sees of them, and what it does not."""
    pictures = [(event.id, media.id) for media in event.media if media.may_be_picture]
    others = event.media_count - len(pictures)
    rest = [note(f"{count(others, 'attachment')} you cannot open")] if others > 0 else []
    if shown is None:
        before = ["a picture" if len(pictures) == 1 else count(len(pictures), "picture")] if pictures else []
        return "\n".join([*map(note, before), *rest])
    marks = [picture_mark(shown[name]) for name in pictures if name in shown]
    lost = len(pictures) - len(marks)
    missing = [note(f"{count(lost, 'picture')} that could not be opened")] if lost else []
    return "\n".join([*marks, *missing, *rest])


def sms_text(text: str) -> str:
    """`text` without the marks of Markdown, which a text message would show as they are."""
    text = clean(text)
    for pattern, replacement in _MARKDOWN:
        text = pattern.sub(replacement, text)
    return text.strip()


def sms_length(text: str) -> int:
    """The length as a provider counts it: UTF-16 units, two for an emoji."""
    return len(text.encode("utf-16-le", "replace")) // 2
