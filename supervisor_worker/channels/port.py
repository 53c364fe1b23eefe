"""What a channel promises to the delivery loop: one command in, one receipt out, every failure one of a closed list.

A channel never retries. It raises

- ProviderUnavailable     nothing was taken: 429, or the request never left this process
- LimitReached            one of those: the account may send no more today
- ProviderRefused         the provider says no to this very request, and so do its narrower forms below
- AccessDenied            one of those: a 403, which may be meant for us
- CredentialsRefused      the provider says no to us
- OutcomeUnknown          the request left and no answer, or no readable one, came back; a 5xx is no answer

and the loop records each of them before it does anything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from shared.errors import ProviderRefused
from shared.mailbox.records import Attempt
from shared.model.events import Response

CLOCK_SLACK_MS: Final = 60_000
"""How far a provider's clock may be from the server's."""


@dataclass(frozen=True, slots=True)
class Listed:
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
        """One request to the provider; the answer is its id for the message, '' where it gives none.

        The three ids come back with the provider's reports: a user's word in one counts for the pair, whatever records are left.
        """
        ...

    async def find(self, command: Response, attempt: Attempt) -> list[Listed] | None:
        """The provider's messages with this recipient, sender and text, oldest first; None when it has no list to ask.

        Which of them is the attempt's, if any, `supervisor_worker.turns.attempt_matching` judges.

        Raises ProviderUnavailable for a list that gave no answer, or none that settles it: that is not "not found".
        """
        ...

    async def ready(self, command: Response) -> None:
        """Make a request like that of `send`, from the same sender, by which nothing can be sent; nothing of what `command` says is in it.

        Raises a ProviderError while the provider does not take requests; that it refuses this one is an answer.
        """
        ...

    async def newest(self) -> list[Listed] | None:
        """The newest of all our messages, in both directions, as the provider's list shows them now; None where it has no list.

        Raises ProviderUnavailable for a list that gave no answer.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...
