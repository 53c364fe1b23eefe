"""The words of the system: what came in, what was acknowledged, what shall go out.

The names and the first fields are those of the project that Bossline continues. Each class is frozen and carries its
wire name in `type`; `shared.model.codec` is the only module that turns them into JSON and back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import ClassVar, Final, Literal

from shared.errors import BadInput
from shared.model.addresses import Channel, ConversationKey, EmailAddress, PhoneNumber

MAX_MEDIA: Final = 10
"""The files that one text may carry (Twilio's limit)."""
MESSAGE_SID: Final = re.compile(r"(?:SM|MM)[0-9a-f]{32}")
"""Twilio's id of a text, as every one of Twilio's is."""
_MEDIA: Final = re.compile(r"(ME[0-9a-f]{32}) ([a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60})?")


Keyword = Literal["", "stop", "start", "yes"]
"""The word by which a user opts out or in, as Twilio reads it; "" for any other text."""


@dataclass(frozen=True, slots=True)
class Media:
    """A file that came with a text: Twilio's id of it, and the type that a carrier gave it ('' when that is no type).

    There is no URL: where the file is follows from the id, the text's `provider_id` and our own account.
    """

    id: str
    content_type: str = ""

    @classmethod
    def parse(cls, text: str) -> Media:
        """Read the wire's form, `ME... image/jpeg`; raises BadInput `bad_media`."""
        found = _MEDIA.fullmatch(text)
        if found is None:
            raise BadInput(code="bad_media")
        return cls(found[1], found[2] or "")

    def __str__(self) -> str:
        return f"{self.id} {self.content_type}"

    @property
    def may_be_picture(self) -> bool:
        """Whether it is worth a look: a type that says picture, or says nothing."""
        return self.content_type.startswith("image/") or self.content_type in ("", "application/octet-stream")


@dataclass(frozen=True, kw_only=True, slots=True)
class SmsReceived:
    """A text that reached a Boss number. `id` is ours, made from the provider's; times are UTC epoch seconds.

    `media_count` is how many files came with it, `media` those that can be asked for; records of before have no `media`.
    `hidden` is how many characters were left out of what came because a person does not see them.
    """

    type: ClassVar[str] = "sms_received"
    channel: ClassVar[Channel] = "sms"
    id: str
    from_: PhoneNumber
    to: PhoneNumber
    message: str
    user: str
    provider_id: str
    media_count: int = 0
    media: tuple[Media, ...] = ()
    hidden: int = 0
    signed: bool = True
    received_at: float = 0.0

    @property
    def text(self) -> str:
        """What its author wrote."""
        return self.message

    def key(self) -> ConversationKey:
        """The conversation that this text belongs to."""
        return ConversationKey("sms", self.to.value, self.from_.value)


@dataclass(frozen=True, kw_only=True, slots=True)
class EmailReceived:
    """A mail that reached a Boss address. `message_id`, `in_reply_to` and `references` are RFC 5322 ids with brackets.

    `from_` is the authenticated author, and the address that the answer goes to. `body` is the new text, with the
    quoted mail cut off; `attachments` are the names, already made harmless, of files that came along; `hidden` is how many
    characters were left out of all three because a person does not see them.
    """

    type: ClassVar[str] = "email_received"
    channel: ClassVar[Channel] = "email"
    id: str
    from_: EmailAddress
    to: EmailAddress
    subject: str
    body: str
    user: str
    message_id: str
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    attachments: tuple[str, ...] = ()
    hidden: int = 0
    signed: bool = True
    received_at: float = 0.0

    @property
    def text(self) -> str:
        """What its author wrote."""
        return self.body

    def key(self) -> ConversationKey:
        """The conversation: both addresses and the thread's root id."""
        root = self.references[0] if self.references else self.in_reply_to or self.message_id
        return ConversationKey("email", self.to.value, self.from_.value, root)


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageAcknowledged:
    """A worker has taken a message into a turn."""

    type: ClassVar[str] = "message_acknowledged"
    message_type: Literal["sms", "email"]
    user: str
    timestamp: str
    in_reply_to: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SendSmsResponse:
    """A text to send: one request to the provider. `to` and `from_` are set by code, never by the model."""

    type: ClassVar[str] = "send_sms_response"
    channel: ClassVar[Channel] = "sms"
    to: PhoneNumber
    from_: PhoneNumber
    message: str
    user: str

    @property
    def text(self) -> str:
        """What is said."""
        return self.message


@dataclass(frozen=True, kw_only=True, slots=True)
class SendEmailResponse:
    """A mail to send. `message_id` is our own, made once, so that a second attempt carries the same."""

    type: ClassVar[str] = "send_email_response"
    channel: ClassVar[Channel] = "email"
    to: EmailAddress
    from_: EmailAddress
    subject: str
    body: str
    user: str
    message_id: str
    in_reply_to: str = ""
    references: tuple[str, ...] = field(default=())

    @property
    def text(self) -> str:
        """What is said."""
        return self.body


Received = SmsReceived | EmailReceived
Response = SendSmsResponse | SendEmailResponse
Event = Received | Response | MessageAcknowledged
