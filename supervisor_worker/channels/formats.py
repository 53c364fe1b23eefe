"""How each channel's messages are written and read; whoever handles any message looks its format up here. Pure: no provider's SDK."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from shared.model.addresses import Address, Channel
from shared.model.events import Received, Response
from supervisor_worker.channels.sendgrid.format import EmailFormat
from supervisor_worker.channels.twilio.format import SmsFormat


class MessageFormat(Protocol):
    """One channel's. Each method takes the events of its own channel, and raises TypeError for any other."""

    @property
    def rules(self) -> str:
        """What the model is told of the form of its answers; the same for all turns of the channel, so that it can be cached."""
        ...

    def shown(self, event: Received, pictures: Mapping[tuple[str, str], int] | None) -> list[str]:
        """The parts of a message as the model is shown it; empty ones are left out.

        `pictures` are the numbers of those that it sees, by the ids of message and file; None for a message of before.
        """
        ...

    def reply(self, event: Received, text: str, reply_id: str) -> Response:
        """The answer `text` to `event`, ready to be stored. Whom it goes to follows from `event` alone."""
        ...

    def opening(self, event: Received, text: str, reply_id: str) -> Response:
        """A message that answers none; `event` names both ends."""
        ...

    def ask_shorter(self, text: str) -> str:
        """What the model is asked when its answer is too long for the channel; '' when it is not."""
        ...

    def notice_event(self, ends: tuple[Address, Address], notice_id: str, user: str, subject: str, at: float) -> Received:
        """What a notice of ours on this channel answers. `ends` are the Boss's address and the person's; `at` is in epoch seconds."""
        ...


FORMATS: Final[dict[Channel, MessageFormat]] = {"sms": SmsFormat(), "email": EmailFormat()}


def reply(event: Received, text: str, reply_id: str) -> Response:
    """The answer `text` to `event`, in the format of its channel."""
    return FORMATS[event.channel].reply(event, text, reply_id)
