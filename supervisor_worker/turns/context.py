"""What every turn of a worker process shares: opened by `bootstrap`, handed to `run_turn`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from shared.config.settings import Settings
from shared.mailbox import AsyncMailbox
from shared.mailbox.calls import Budget, Dearest, Leave
from shared.model.addresses import Channel, Identities
from shared.model.channels import CHANNELS
from shared.model.users import Users
from supervisor_worker.assistant.price import budget, dearest
from supervisor_worker.assistant.prompt import BYTES_A_TOKEN
from supervisor_worker.assistant.reservations import Thinker
from supervisor_worker.channels.port import ChannelPort
from supervisor_worker.media.turn_pictures import PictureLoader
from supervisor_worker.providers.retry_budget import RetryBudget
from supervisor_worker.turns import retry_policy as limits


def _budgets() -> dict[Channel, RetryBudget]:
    """One for each way out, and one for the model."""
    return {name: RetryBudget() for name in (*CHANNELS, "model")}


@dataclass(frozen=True)
class TurnContext:
    """The parts of one worker process.

    `stopping` is set when the process was told to end: nothing is claimed and no request begins after it. `in_flight` holds
    the attempts that a message provider may have heard of and that are not recorded yet. `process` is the name under which this
    process gives signs of life; "" for one that gives none, whose leases go by their end alone.
    """

    settings: Settings
    users: Users
    identities: Identities
    mailbox: AsyncMailbox
    thinker: Thinker
    channels: Mapping[Channel, ChannelPort]
    stopping: asyncio.Event
    picture_loader: PictureLoader
    in_flight: set[asyncio.Task[object]] = field(default_factory=set)
    process: str = ""
    budgets: Mapping[Channel, RetryBudget] = field(default_factory=_budgets)

    @property
    def budget(self) -> Budget:
        """What a day has room for."""
        return budget(self.settings, self.users)

    @cached_property
    def dearest(self) -> Dearest:
        """By what the most is reckoned that a turn's first question may use."""
        return dearest(self.settings)

    @property
    def lease_ms(self) -> int:
        """How long a lease lasts."""
        return int(self.settings.lease_seconds * 1000)

    @property
    def life_ms(self) -> int:
        """How long a process's sign of life counts, and leave for a request."""
        return int(self.settings.process_life_seconds * 1000)

    @property
    def retention_ms(self) -> int:
        """How long texts are kept."""
        return self.settings.retention_ms

    @property
    def share(self) -> int:
        """How many turns of one sender may be under way: of a small worker not all, so that others find a place."""
        return min(self.settings.sender_turns_at_once, max(1, self.settings.worker_concurrency // 2))

    @property
    def memory_bytes(self) -> int:
        """How much of a conversation's records is read: JSON spells a letter outside of ASCII with six bytes for two."""
        return 3 * BYTES_A_TOKEN * self.settings.history_tokens

    @property
    def leave(self) -> Leave:
        """What leave to send is judged by."""
        return Leave(
            self.send_ms,
            self.margin_ms,
            self.retention_ms,
            limits.scaled_ms(limits.PAUSE_WAIT, self.settings),
            oldest_ms=limits.oldest_ms(self.settings),
            repeats=limits.repeats(self.settings),
        )

    @property
    def request_ms(self) -> int:
        """The longest from an attempt's time until nobody waits for its request any more: then it may be looked up."""
        return self.send_ms + self.margin_ms

    @property
    def leave_ms(self) -> int:
        """How long leave to send counts: a holder that stood still must not send beside its successor, nor after a look-up."""
        return min(self.life_ms, self.margin_ms)

    @property
    def look_again_ms(self) -> int:
        """How long after a look-up that did not show an attempt it is looked up again."""
        return limits.scaled_ms(limits.LOOK_AGAIN, self.settings)

    @property
    def send_ms(self) -> int:
        """The longest that one request to a message provider takes."""
        return int(self.settings.send_timeout_seconds * 1000)

    @property
    def margin_ms(self) -> int:
        """What is added to it before anybody else may look the request up."""
        return int(self.settings.send_margin_seconds * 1000)
