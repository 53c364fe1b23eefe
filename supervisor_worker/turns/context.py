"""The dependencies of a turn, shared by all turns of a worker process, and the times derived from its settings."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import cached_property
from typing import Final

from shared.config.prices import shipped
from shared.config.settings import Settings
from shared.mailbox import AsyncMailbox, calls
from shared.mailbox.calls import DayBounds, Dearest, SendLimits
from shared.model.addresses import Channel, Identities
from shared.model.channels import CHANNELS
from shared.model.events import Received
from shared.model.prices import PriceTable
from shared.model.users import OfUsers, Users
from shared.registry import PeopleDirectory
from supervisor_worker.assistant.command_replies import CommandReplies
from supervisor_worker.assistant.costs import Costs
from supervisor_worker.assistant.history import BYTES_A_TOKEN, MOST
from supervisor_worker.assistant.price import day_bounds, dearest
from supervisor_worker.assistant.reply import ReplyGenerator
from supervisor_worker.assistant.reservations import ModelPort
from supervisor_worker.assistant.time_notes import zone
from supervisor_worker.assistant.turn_tools import TurnTools
from supervisor_worker.channels.port import ChannelPort
from supervisor_worker.mcp.tools import ToolSource
from supervisor_worker.media.transcription import Transcriber
from supervisor_worker.media.turn_files import FileLoader
from supervisor_worker.media.turn_media import MediaLoader
from supervisor_worker.providers.retry_budget import RetryBudget
from supervisor_worker.turns import retry_policy

RECORD_FACTOR: Final = 6
"""By how much the records of a history may be longer than what is shown of it: the shortest line counts as 200 bytes."""


def _budgets() -> dict[Channel, RetryBudget]:
    """One retry budget for each channel, and one for the model."""
    return {name: RetryBudget() for name in (*CHANNELS, "model")}


@dataclass(frozen=True)
class TurnContext:
    """The dependencies of the turns of one worker process.

    `stopping` is set when the process was told to end: nothing is claimed and no request begins after it. `in_flight` holds the tasks of
    attempts that a message provider may have received and that are not recorded yet. `process` is the name of this process's heartbeat
    (`Liveness.name`); "" for a process without one, whose leases are judged by their end alone. `people` keeps `users` up to
    date; None where they never change.
    """

    settings: Settings
    users: Users
    identities: Identities
    mailbox: AsyncMailbox
    model: ModelPort
    channels: Mapping[Channel, ChannelPort]
    stopping: asyncio.Event
    media_loader: MediaLoader
    transcriber: Transcriber | None = None
    mcp: ToolSource | None = None
    in_flight: set[asyncio.Task[object]] = field(default_factory=set)
    process: str = ""
    budgets: Mapping[Channel, RetryBudget] = field(default_factory=_budgets)
    prices: PriceTable = field(default_factory=shipped)
    people: PeopleDirectory | None = None

    async def look_at_users_file(self) -> None:
        """Take in the users file where it has changed: what is sent is judged by the people whom it has now."""
        if self.people is not None and self.people.file_is_new:
            await asyncio.to_thread(self.people.refresh_file)

    async def learn(self) -> None:
        """Take in what has changed of the people who are known. Raises RedisError."""
        if self.people is not None:
            await asyncio.to_thread(self.people.refresh)

    @cached_property
    def costs(self) -> Costs:
        """What calls to the model cost."""
        return Costs(self.settings, self.users, self.prices)

    @cached_property
    def replies(self) -> ReplyGenerator:
        """Generates the replies."""
        files = FileLoader(self.mailbox.redis, seconds=self.settings.lease_seconds / 2)
        tools = TurnTools(self.settings, self.users, self.identities, self.mailbox, self.command_replies, self.mcp, self.in_flight)
        return ReplyGenerator(self.settings, self.users, self.media_loader, self.budgets["model"], files, self.transcriber, tools)

    @cached_property
    def command_replies(self) -> CommandReplies:
        """Makes the answers to commands."""
        return CommandReplies(self.mailbox, self.users, self.identities, self.settings)

    @property
    def day_bounds(self) -> DayBounds:
        """The bounds of a day."""
        return self._day_bounds.now

    @cached_property
    def _day_bounds(self) -> OfUsers[DayBounds]:
        return OfUsers(self.users, lambda: day_bounds(self.settings, self.users))

    def zone_of(self, event: Received, stop: str) -> tzinfo:
        """The zone in which a month ends that is used up: all's in UTC, a person's own by their clock."""
        return zone(self.users.with_id(event.user) if stop == "own_month" else None)

    @property
    def dearest(self) -> Dearest:
        """The figures by which a claim reserves tokens and dollars for a turn's first call to the model."""
        return self.costs.dearest(self._dearest.now)

    @cached_property
    def _dearest(self) -> OfUsers[Dearest]:
        return OfUsers(self.users, lambda: dearest(self.settings, self.users))

    @property
    def lease_ms(self) -> int:
        """How long a lease lasts."""
        return int(self.settings.lease_seconds * 1000)

    @property
    def life_ms(self) -> int:
        """How long a process counts as alive after a heartbeat."""
        return int(self.settings.process_life_seconds * 1000)

    @property
    def retention_ms(self) -> int:
        """How long texts are kept."""
        return self.settings.retention_ms

    @property
    def sender_turns(self) -> int:
        """Concurrent turns allowed to one sender; at most half of a small worker's, so that others are served too."""
        return min(self.settings.sender_turns_at_once, max(1, self.settings.worker_concurrency // 2))

    @property
    def history_bytes(self) -> int:
        """How many bytes of a conversation's records are read at most; a record has some hundreds beside its text, and JSON escapes."""
        return RECORD_FACTOR * int(MOST * self.settings.history_tokens) * BYTES_A_TOKEN

    @property
    def quiet_ms(self) -> int:
        """How long nothing must have been said in a conversation before its summary is made."""
        return retry_policy.scaled_ms(calls.QUIET_MS / 1000, self.settings)

    @property
    def send_limits(self) -> SendLimits:
        """The figures by which the scripts give or refuse a send permit."""
        return SendLimits(
            self.send_ms,
            self.margin_ms,
            self.retention_ms,
            retry_policy.scaled_ms(retry_policy.PAUSE_WAIT_SECONDS, self.settings),
            oldest_ms=retry_policy.oldest_ms(self.settings),
            repeats=retry_policy.repeats(self.settings),
        )

    @property
    def request_ms(self) -> int:
        """The time from an attempt's time until nobody waits for its request any more: from then on it may be looked up."""
        return self.send_ms + self.margin_ms

    @property
    def permit_ms(self) -> int:
        """How long a send permit counts: a holder that stood still must not send beside its successor, nor after a look-up."""
        return min(self.life_ms, self.margin_ms)

    @property
    def lookup_again_ms(self) -> int:
        """The time from a look-up that did not find an attempt to the next one."""
        return retry_policy.scaled_ms(retry_policy.LOOKUP_AGAIN_SECONDS, self.settings)

    @property
    def send_ms(self) -> int:
        """The longest time of one request to a message provider."""
        return int(self.settings.send_timeout_seconds * 1000)

    @property
    def margin_ms(self) -> int:
        """The margin after `send_ms` before anybody may look the request up."""
        return int(self.settings.send_margin_seconds * 1000)
