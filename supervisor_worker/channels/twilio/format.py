"""The format of text messages: what the model is shown, and the command made of its answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import phonenumbers

from shared.model.addresses import Address, PhoneNumber
from shared.model.channels import opening_event
from shared.model.events import Received, Response, SendSmsResponse, SmsReceived
from shared.model.folds import Fold
from shared.model.sms_segments import fits_gsm, size
from shared.model.words import DEFAULT
from supervisor_worker.channels.notes import capped, count, left_out, note, picture_mark
from supervisor_worker.channels.twilio.file_kinds import kind_of, picture_format
from supervisor_worker.channels.twilio.fitting import DEFAULT_SEGMENTS, FittedText, characters, fit, to_sms

SMS_LIMIT: Final = 1_600
"""UTF-16 units of one text (Twilio's limit): more than the segments that may be set hold."""
_RULES: Final = """\
Your answer is sent as a text message. Keep it short: one to three sentences, 320 characters if you can, and never more than \
{room:,}, which are {segments} of the segments that a text message is billed by. Plain text only: no Markdown, no headings, no bullet \
characters, no tables; write an address out, with a space before and behind it. Avoid emoji and typographic quotes, which make a text \
message longer. Several texts that came in together are shown as one message; answer all of them at once."""


@dataclass(frozen=True, slots=True)
class SmsFormat:
    """See `supervisor_worker.channels.formats.MessageFormat`. `max_segments` is how many segments one answer may take.

    `language` is the reader's, for what is ours.
    """

    max_segments: int = DEFAULT_SEGMENTS
    language: str = DEFAULT

    @property
    def rules(self) -> str:
        """How long an answer may be, and in what form."""
        return _RULES.format(room=characters(self.max_segments), segments=self.max_segments)

    def shown(self, event: Received, pictures: Mapping[tuple[str, str], int] | None, folds: Sequence[Fold] = ()) -> list[str]:
        """The text, the files that came with it, and what was left out of it."""
        del folds  # nobody quotes in a text
        return [capped(event.text), _came_along(of(event), pictures), left_out(event.hidden)]

    def reply(self, event: Received, text: str, reply_id: str) -> Response:
        """Plain text, cut to so many segments; what was cut is kept with it."""
        del reply_id
        return self._sent(event, to_sms(text, self.max_segments, self.language))

    def continued(self, event: Received, text: str, reply_id: str) -> Response:
        """As many segments as one text may take of it; nothing is converted a second time."""
        del reply_id
        return self._sent(event, fit(text, self.max_segments, self.language))

    def _sent(self, event: Received, fitted: FittedText) -> Response:
        text_event = of(event)
        return SendSmsResponse(to=text_event.from_, from_=text_event.to, message=fitted.message, user=event.user, rest=fitted.rest)

    def opening(self, event: Received, text: str, reply_id: str) -> Response:
        """As a reply: a text message has no headers that refer to another one."""
        return self.reply(event, text, reply_id)

    def announced(self, event: Received, text: str, reply_id: str) -> Response:
        """As it stands."""
        return self.continued(event, text, reply_id)

    def ask_shorter(self, command: Response) -> str:
        """Each segment is billed, and a long text is read in pieces."""
        if not command.rest:
            return ""
        most = characters(self.max_segments, gsm=fits_gsm(command.text + command.rest)) * 4 // 5 // 10 * 10
        return (
            f"This answer is too long for a text message. Give it again in at most {most:,} characters, "
            "with what matters most. Write only the answer."
        )

    def figures(self, command: Response) -> dict[str, int | str]:
        """What is billed for it: its segments, how they are encoded, and the country by whose price."""
        if not isinstance(command, SendSmsResponse):
            raise TypeError(f"not a text: {command.type}")
        found = size(command.message)
        return {"segments": found.segments, "encoding": found.encoding, "price_class": price_class(command.to)}

    def notice_event(self, ends: tuple[Address, Address], notice_id: str, user: str, subject: str, at: float) -> Received:
        """An empty text."""
        return of(opening_event(ends, notice_id, user, subject, at))


def of(event: Received) -> SmsReceived:
    """The event as a text; TypeError for any other."""
    if not isinstance(event, SmsReceived):
        raise TypeError(f"not a text: {event.type}")
    return event


def _came_along(event: SmsReceived, shown: Mapping[tuple[str, str], int] | None) -> str:
    """The files of a text: what the model sees of them, and what it does not."""
    pictures = [media for media in event.media if media.may_be_picture]
    rest = _unopened(event, event.media_count - len(pictures))
    if shown is None:
        before = ["a picture" if len(pictures) == 1 else count(len(pictures), "picture")] if pictures else []
        return "\n".join([*map(note, before), *rest])
    marks = [picture_mark(shown[event.id, media.id]) for media in pictures if (event.id, media.id) in shown]
    missing = [media for media in pictures if (event.id, media.id) not in shown]
    formats = [name for media in missing if (name := picture_format(media.content_type))]
    lost = len(missing) - len(formats)
    told = [f"a picture in a format ({name}) that cannot be shown" for name in formats]
    if lost:
        told.append(f"{count(lost, 'picture')} that could not be opened")
    return "\n".join([*marks, *map(note, told), *rest])


def _unopened(event: SmsReceived, files: int) -> list[str]:
    """The note on files that are no pictures, with the kind of each that can be told."""
    kinds = [kind_of(media.content_type) for media in event.media if not media.may_be_picture]
    unknown = [f"{files - len(kinds)} of which nothing is known"] if 0 < len(kinds) < files else []
    named = f": {', '.join([*kinds, *unknown])}" if kinds else ""
    return [note(f"{count(files, 'attachment')} you cannot open{named}")] if files > 0 else []


def price_class(number: PhoneNumber) -> str:
    """The country of a number, by which Twilio prices a segment, as ISO 3166 has it; "001" for what is of no country."""
    parsed = phonenumbers.parse(number.value, None)
    return phonenumbers.region_code_for_number(parsed) or phonenumbers.region_code_for_country_code(parsed.country_code or 0)


def sms_length(text: str) -> int:
    """The length as a provider counts it: UTF-16 units, two for an emoji."""
    return len(text.encode("utf-16-le", "replace")) // 2
