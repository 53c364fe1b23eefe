"""The message format of each channel, looked up by its name. Pure: no provider's SDK is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from shared.config.settings import Settings
from shared.model.addresses import Address, Channel
from shared.model.events import Received, Response
from shared.model.folds import Fold
from shared.model.users import User
from shared.model.words import DEFAULT
from supervisor_worker.channels.sendgrid.format import EmailFormat
from supervisor_worker.channels.twilio.format import SmsFormat


class MessageFormat(Protocol):
    """The format of one channel. Each method takes events of its own channel, and raises TypeError for any other."""

    @property
    def rules(self) -> str:
        """The instructions to the model on the form of its answers; the same for all turns of the channel, so that they can be cached."""
        ...

    def shown(self, event: Received, pictures: Mapping[tuple[str, str], int] | None, folds: Sequence[Fold] = ()) -> list[str]:
        """The parts of a message as the model is shown it; empty ones are left out.

        `pictures` are the numbers of those that it sees, by the ids of message and file; None for a message of the history. In place of
        each of `folds` its note is shown.
        """
        ...

    def reply(self, event: Received, text: str, reply_id: str) -> Response:
        """The answer `text` to `event`, ready to be stored. Its recipient follows from `event` alone."""
        ...

    def continued(self, event: Received, text: str, reply_id: str) -> Response:
        """The next part of an answer: `text` is what the part before left out, in the form in which it is sent."""
        ...

    def opening(self, event: Received, text: str, reply_id: str) -> Response:
        """A message that answers none; `event` has both addresses."""
        ...

    def announced(self, event: Received, text: str, reply_id: str) -> Response:
        """The same of words in which nothing is Markdown: a person's own, or others'."""
        ...

    def ask_shorter(self, command: Response) -> str:
        """The request to the model for a shorter answer; '' when the one that `command` was made of is not too long for the channel."""
        ...

    def figures(self, command: Response) -> dict[str, int | str]:
        """What sending costs, for the reply's record and the ledger: figures and words of ours only."""
        ...

    def notice_event(self, ends: tuple[Address, Address], notice_id: str, user: str, subject: str, at: float) -> Received:
        """The event that a notice on this channel answers. `ends` are the Boss's address and the person's; `at` is in epoch seconds."""
        ...


FORMATS: Final[dict[Channel, MessageFormat]] = {"sms": SmsFormat(), "email": EmailFormat()}
"""As they are without an operator's settings."""


def configured(settings: Settings, user: User | None = None) -> Mapping[Channel, MessageFormat]:
    """The formats as the operator set them, for a reader: in their language, and from the Boss by the name that they gave it."""
    language = user.language if user else DEFAULT
    return {**FORMATS, "sms": SmsFormat(settings.sms_max_segments, language), "email": EmailFormat(name_of_boss(settings, user), language)}


def name_of_boss(settings: Settings, user: User | None) -> str:
    """What a person calls the Boss, or else BOSS_NAME."""
    return (user.boss_name if user else "") or settings.boss_name


def reply(event: Received, text: str, reply_id: str) -> Response:
    """The answer `text` to `event`, in the format of its channel."""
    return FORMATS[event.channel].reply(event, text, reply_id)
