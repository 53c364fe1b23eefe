"""The port of a channel: one command is sent by one request, and every failure is one of a closed list.

A channel never retries. It raises

- ProviderUnavailable     nothing was accepted: 429, or the request was not sent
- LimitReached            one of those: the account may send no more today
- ProviderRefused         the provider rejects this very request; its narrower forms are below
- AccessDenied            one of those: a 403, which may be our key's
- CredentialsRefused      the provider rejects our key or account
- OutcomeUnknown          the request was sent and no readable answer came back; a 5xx is no answer

and the delivery records each of them before it does anything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from shared.errors import ProviderRefused
from shared.mailbox.records import Attempt
from shared.model.events import Response

CLOCK_SLACK_MS: Final = 60_000
"""The most by which a provider's clock may differ from the server's."""


@dataclass(frozen=True, slots=True)
class ListedMessage:
    """A message in a provider's list: its id, and when it was created, in ms of the provider's clock."""

    id: str
    at_ms: int


class RecipientUnreachable(ProviderRefused):
    """No message from this sender can reach that recipient: a notice on this channel would not either."""

    code = "recipient_unreachable"
    tell_user = False
    other_channel = True


class SenderUnusable(RecipientUnreachable):
    """Our own number or address can send to nobody: the operator is told."""

    code = "sender_unusable"
    alarms = True


class RecipientOptedOut(ProviderRefused):
    """The provider keeps an opt-out of this pair that we did not know."""

    code = "recipient_opted_out"
    tell_user = False
    opted_out = True


class ChannelPort(Protocol):
    """One message provider."""

    async def send(self, command: Response, reply_id: str, attempt_id: str, pair: str) -> str:
        """One request to the provider; the answer is its id of the message, '' where it gives none.

        The three ids come back with the provider's reports: an opt-out in a report counts for the pair, even when no record is left.
        """
        ...

    async def find(self, command: Response, attempt: Attempt) -> list[ListedMessage] | None:
        """The provider's messages with this recipient, sender and text, oldest first; None when it has no list to ask.

        `supervisor_worker.turns.attempt_matching` decides which of them the attempt made, if any.

        Raises ProviderUnavailable for a list that gave no answer, or not all of it: that is not "not found".
        """
        ...

    async def ready(self, command: Response) -> None:
        """Check the provider: a request like that of `send`, from the same sender, that can send nothing and holds nothing of the message.

        Raises a ProviderError while the provider does not accept requests. That it rejects this one is an answer.
        """
        ...

    async def newest(self) -> list[ListedMessage] | None:
        """The newest messages of the account, sent and received, as the provider's list shows them now; None where it has no list.

        Raises ProviderUnavailable for a list that gave no answer.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...
