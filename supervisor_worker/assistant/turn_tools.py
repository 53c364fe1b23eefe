"""The tools of one turn, with what they know: the person, their zone, their other channel, and what can be looked up for them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from shared.config.settings import Settings
from shared.mailbox import AsyncMailbox
from shared.mailbox.records import Turn
from shared.model.addresses import Identities
from shared.model.events import Received
from shared.model.users import User, Users
from supervisor_worker.assistant.asking import Questions
from supervisor_worker.assistant.command_replies import CommandReplies
from supervisor_worker.assistant.copy_targets import CopyTarget
from supervisor_worker.assistant.history_search import HistorySearch
from supervisor_worker.assistant.outside_calls import OutsideCalls
from supervisor_worker.assistant.own_status import OwnStatus
from supervisor_worker.assistant.time_notes import received_at, zone
from supervisor_worker.assistant.tool_loop import ToolLoop
from supervisor_worker.assistant.tools.tool import Look, Tool, ToolContext
from supervisor_worker.assistant.turn_steps import TurnSteps
from supervisor_worker.channels.formats import configured
from supervisor_worker.mcp.tools import ToolSource


@dataclass(frozen=True)
class TurnTools:
    """Makes the tools of one worker process's turns.

    `mcp` are the tools of MCP servers, None where there are none; `in_flight` keeps calls outside that a turn no longer waits for.
    """

    settings: Settings
    users: Users
    identities: Identities
    mailbox: AsyncMailbox
    command_replies: CommandReplies
    mcp: ToolSource | None = None
    in_flight: set[asyncio.Task[object]] = field(default_factory=set)

    def loop(self, tools: Sequence[Tool], turn: Turn, last: Received, steps: TurnSteps, *, mixed: bool, source: str = "") -> ToolLoop:
        """The loop of a turn; `last` is its newest message, `mixed` and `source` are of its question."""
        user = self.users.with_id(last.user)
        local = zone(user)
        context = ToolContext(
            local if isinstance(local, ZoneInfo) else ZoneInfo("UTC"),
            last.channel,
            received_at(last, turn.messages[-1].accepted_at),
            mixed,
            self.users.language(last.user),
            source,
            bool(last.forwarding),
        )
        outside = OutsideCalls(self.mcp, _username(user), self.in_flight) if self.mcp else None
        form = configured(self.settings, user)[last.channel]
        copies = CopyTarget(user, self.identities, turn.id, last.channel, context.received_ms / 1000)
        questions = Questions(self.users, self.identities, self.settings)
        return ToolLoop(
            tools, steps, context, outside, self._looks(turn, last, steps), lambda text: not form.reply(last, text, turn.reply_id).rest,
            {"send_copy": copies.added}, questions,
        )  # fmt: skip

    def _looks(self, turn: Turn, last: Received, steps: TurnSteps) -> Mapping[str, Look]:
        user = self.users.with_id(last.user)
        only_here = user is None or user.shared
        return {
            "search": HistorySearch(self.mailbox, steps.holder, turn.claimed_at, only_here),
            "own_status": OwnStatus(self.settings, self.mailbox, self.command_replies, self.mcp, turn, last.user, _username(user)),
        }


def _username(user: User | None) -> str:
    """How the operator's rules of MCP servers call somebody; "" for who has left."""
    return user.username if user else ""
