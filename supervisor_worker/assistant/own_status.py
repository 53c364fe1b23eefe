"""What the Boss can say of itself to one person: what waits, what is kept of them, what is left of their budget, which servers serve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from shared.config.settings import Settings
from shared.mailbox import AsyncMailbox
from shared.mailbox.records import Turn
from supervisor_worker.assistant.command_replies import CommandReplies
from supervisor_worker.mcp.tools import ToolSource


@dataclass(frozen=True)
class OwnStatus:
    """The look of one turn; it changes nothing. `user` is the id of their entry, `username` how the operator calls them."""

    settings: Settings
    mailbox: AsyncMailbox
    command_replies: CommandReplies
    mcp: ToolSource | None
    turn: Turn
    user: str
    username: str

    async def __call__(self, _arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Figures and sentences, as `tools.status` tells them. Raises RedisError."""
        local = self.command_replies.now(self.user, self.turn.claimed_at)
        kept = await self.mailbox.kept_of(self.turn.person, local)
        *_, day, month = self.settings.dollar_bounds
        return {
            "ok": True,
            "version": metadata.version("bossline"),
            "waits": await self.command_replies.standing_of(self.user, local, without=self.turn.id),
            "reminders": kept.reminders,
            "facts": kept.facts,
            "lists": kept.lists,
            "spent": [kept.today, kept.month],
            "bounds": [day, month],
            "played": "anthropic" in self.settings.played,
            "servers": dict(self.mcp.servers(self.username)) if self.mcp else {},
        }
