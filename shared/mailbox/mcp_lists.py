"""The tool lists of MCP servers in Redis: the one that the operator accepted, and the one that the server said last.

They are here and not in a file, so that the workers of all hosts show the model the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from redis import Redis

from shared.errors import BadInput
from shared.mailbox import keys
from shared.mailbox.client import Commands
from shared.model import codec
from shared.model.mcp_tools import ListedTool, ToolList, usable

_NOTHING: Final = ToolList()


@dataclass(frozen=True, slots=True)
class StoredList:
    """A list, when it was stored (epoch ms), and by whom: an operator's name, or '' for a worker."""

    list: ToolList
    at_ms: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class StoredLists:
    """By server. A record that cannot be read counts as none."""

    accepted: Mapping[str, StoredList] = field(default_factory=dict)
    newest: Mapping[str, StoredList] = field(default_factory=dict)

    def usable(self, server: str) -> tuple[ListedTool, ...]:
        """The tools of a server that may be shown: accepted, and unchanged as far as is known."""
        newest = self.newest.get(server)
        return usable(self.accepted_list(server), newest.list if newest else None)

    def accepted_list(self, server: str) -> ToolList:
        """What the operator accepted; an empty list for a server that is new."""
        stored = self.accepted.get(server)
        return stored.list if stored else _NOTHING


def read(redis: Redis) -> StoredLists:
    """Both lists of all servers. Raises RedisError."""
    accepted: Any = redis.hgetall(keys.MCP_ACCEPTED)
    newest: Any = redis.hgetall(keys.MCP_NEWEST)
    return StoredLists(_parsed(accepted), _parsed(newest))


async def read_async(commands: Commands) -> StoredLists:
    """The same for an event loop."""
    accepted = await commands.execute_command("HGETALL", keys.MCP_ACCEPTED)
    newest = await commands.execute_command("HGETALL", keys.MCP_NEWEST)
    return StoredLists(_parsed(accepted), _parsed(newest))


async def heard_async(commands: Commands, server: str, heard: ToolList, at_ms: int) -> None:
    """Store what a server said last. Raises RedisError."""
    await commands.execute_command("HSET", keys.MCP_NEWEST, server, _text(heard, at_ms, ""))


def heard(redis: Redis, server: str, listed: ToolList, at_ms: int) -> None:
    """The same for a command."""
    redis.hset(keys.MCP_NEWEST, server, _text(listed, at_ms, ""))


def accept(redis: Redis, server: str, seen: ToolList, at_ms: int, by: str) -> None:
    """Accept the very list that the operator has seen, whatever the server has said meanwhile. Raises RedisError."""
    redis.hset(keys.MCP_ACCEPTED, server, _text(seen, at_ms, by))


def _text(listed: ToolList, at_ms: int, by: str) -> str:
    return codec.dumps({"at": at_ms, "by": by, "list": listed.text()})


def _parsed(raw: Mapping[Any, Any]) -> dict[str, StoredList]:
    found = {}
    for name, text in raw.items():
        try:
            record = codec.loads(text)
            found[name.decode() if isinstance(name, bytes) else str(name)] = StoredList(
                ToolList.parse(record["list"]), int(record["at"]), str(record["by"])
            )
        except (BadInput, TypeError, KeyError, ValueError):
            continue
    return found
