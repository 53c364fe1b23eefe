"""What every turn of a worker process shares: opened by `bootstrap`, handed to `run_turn`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.addresses import Channel, Identities
from shared.mailbox import AsyncMailbox
from shared.mailbox.calls import DAY_MS
from shared.settings import Settings
from shared.users import Users
from supervisor_worker.channels.port import ChannelPort
from supervisor_worker.thinking import Thinker


@dataclass(frozen=True)
class Supervisor:
    """The parts of one worker process.

    `stopping` is set when the process was told to end: nothing is claimed and no request begins after it. `in_flight` holds
    the attempts that a message provider may have heard of and that are not recorded yet.
    """

    settings: Settings
    users: Users
    identities: Identities
    mailbox: AsyncMailbox
    thinker: Thinker
    channels: Mapping[Channel, ChannelPort]
    stopping: asyncio.Event
    in_flight: set[asyncio.Task[object]] = field(default_factory=set)

    @property
    def lease_ms(self) -> int:
        """How long a lease lasts."""
        return int(self.settings.lease_seconds * 1000)

    @property
    def retention_ms(self) -> int:
        """How long texts are kept."""
        return int(self.settings.retention_days * DAY_MS)

    @property
    def send_ms(self) -> int:
        """The longest that one request to a message provider takes."""
        return int(self.settings.send_timeout_seconds * 1000)

    @property
    def margin_ms(self) -> int:
        """What is added to it before anybody else may look the request up."""
        return int(self.settings.send_margin_seconds * 1000)
