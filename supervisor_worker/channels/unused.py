"""The port of a channel that no user has: nothing is opened, and a message left from an earlier users file is rejected."""

from __future__ import annotations

from typing import Final

from shared.errors import ProviderRefused, ProviderUnavailable
from shared.mailbox.records import Attempt
from shared.model.addresses import Channel
from shared.model.channels import CHANNELS
from shared.model.events import Response
from supervisor_worker.channels.port import ListedMessage

CODE: Final = "channel_unused"


class UnusedChannel:
    """A port without a provider."""

    def __init__(self, channel: Channel) -> None:
        self._provider = CHANNELS[channel].provider

    async def send(self, command: Response, reply_id: str, attempt_id: str, pair: str) -> str:
        """Reject finally: the message is parked, and the operator sees why."""
        del command, reply_id, attempt_id, pair
        raise ProviderRefused(self._provider, CODE)

    async def find(self, command: Response, attempt: Attempt) -> list[ListedMessage] | None:
        """The provider has a list, but is not asked: that is not "not found"."""
        del command, attempt
        raise ProviderUnavailable(self._provider, CODE)

    async def ready(self, command: Response) -> None:
        """Nothing is asked: `send` refuses it anyway."""
        del command

    async def newest(self) -> list[ListedMessage] | None:
        """As `find`."""
        raise ProviderUnavailable(self._provider, CODE)

    async def aclose(self) -> None:
        """Nothing is open."""
