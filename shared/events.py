"""The words of the system: what came in, what was acknowledged, what shall go out.

The names and the first fields are those of the project that Bossline continues. Each class is frozen and carries its
wire name in `type`; `shared.codec` is the only module that turns them into JSON and back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from shared.addresses import ConversationKey, EmailAddress, PhoneNumber


@dataclass(frozen=True, kw_only=True, slots=True)
class SmsReceived:
    """A text that reached a Boss number. `id` is ours, made from the provider's; times are UTC epoch seconds."""

    type: ClassVar[str] = "sms_received"
    id: str
    from_: PhoneNumber
    to: PhoneNumber
    message: str
    user: str
    provider_id: str
    media_count: int = 0
    signed: bool = True
    received_at: float = 0.0

    def key(self) -> ConversationKey:
        """The conversation that this text belongs to."""
        return ConversationKey("sms", self.to.value, self.from_.value)


@dataclass(frozen=True, kw_only=True, slots=True)
class EmailReceived:
    """A mail that reached a Boss address. `message_id`, `in_reply_to` and `references` are RFC 5322 ids with brackets.

    `from_` is the authenticated author, and the address that the answer goes to. `body` is the new text, with the
    quoted mail cut off; `attachments` are the names, already made harmless, of files that came along.
    """

    type: ClassVar[str] = "email_received"
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
    signed: bool = True
    received_at: float = 0.0

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
    to: PhoneNumber
    from_: PhoneNumber
    message: str
    user: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SendEmailResponse:
    """A mail to send. `message_id` is our own, made once, so that a second attempt carries the same."""

    type: ClassVar[str] = "send_email_response"
    to: EmailAddress
    from_: EmailAddress
    subject: str
    body: str
    user: str
    message_id: str
    in_reply_to: str = ""
    references: tuple[str, ...] = field(default=())


Received = SmsReceived | EmailReceived
Response = SendSmsResponse | SendEmailResponse
Event = Received | Response | MessageAcknowledged
