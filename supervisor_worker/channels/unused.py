"""The channel of a provider that no user needs: nothing is opened, and what an earlier users file left to be sent is refused."""

from __future__ import annotations

from typing import Final

from shared.errors import ProviderRefused, ProviderUnavailable
from shared.mailbox.records import Attempt
from shared.model.addresses import Channel
from shared.model.channels import CHANNELS
from shared.model.events import Response
from supervisor_worker.channels.port import Listed

CODE: Final = "channel_unused"


class UnusedChannel:
    """A way out that is none."""

    def __init__(self, channel: Channel) -> None:
        self._provider = CHANNELS[channel].provider

    async def send(self, command: Response, reply_id: str, attempt_id: str, pair: str) -> str:
        """Refuse for good: the message is parked, and its operator sees why."""
        del command, reply_id, attempt_id, pair
        raise ProviderRefused(self._provider, CODE)

    async def find(self, command: Response, attempt: Attempt) -> list[Listed] | None:
        """There is a list, and nobody to ask for it: that is not "not found"."""
        del command, attempt
        raise ProviderUnavailable(self._provider, CODE)

    async def ready(self, command: Response) -> None:
        """Nothing is asked: `send` refuses it anyway."""
        del command

    async def newest(self) -> list[Listed] | None:
        """As `find`."""
        raise ProviderUnavailable(self._provider, CODE)

    async def aclose(self) -> None:
        """Nothing is open."""
