"""The tools of all MCP servers as a turn sees them: which there are for a person, and a call of one.

`definitions` asks nobody: it shows the lists that the operator accepted, as they were last read from Redis, so that the model sees the same
bytes in all processes of all hosts. A server is opened by the first call.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from redis.exceptions import RedisError

from shared.config.loading import load_mcp_servers
from shared.config.mcp_servers import McpServer, ToolRule
from shared.config.settings import Settings
from shared.mailbox import mcp_lists
from shared.mailbox.client import Commands
from shared.mailbox.mcp_lists import StoredList, StoredLists
from shared.model import codec
from shared.model.mcp_tools import ListedTool, ToolList, full_name, split_name
from shared.observability import logs
from shared.observability.redaction import KNOWN_SECRETS
from shared.process.tasks import run_until
from supervisor_worker.mcp.logins import Logins, StoredLogin
from supervisor_worker.mcp.owner import Owner, open_by_sdk
from supervisor_worker.mcp.results import CallResult, not_made
from supervisor_worker.mcp.sessions import McpSession, OpenSession
from supervisor_worker.mcp.share import shared_session

REFRESH_SECONDS: Final = 10.0
"""How soon after `boss mcp accept` a worker shows the accepted list."""
MAX_ARGUMENTS: Final = 100_000
"""Bytes of a call's arguments as JSON."""
LOG: Final = logs.logger(__name__)


@dataclass(frozen=True, slots=True)
class McpTool:
    """One tool as it is shown to the model, and what the operator says of it."""

    name: str
    """`server__tool`."""
    description: str
    schema: str = field(repr=False)
    rule: ToolRule
    digest: str
    """Equal while the tool is the same, for whoever stores what a question was made of."""

    @property
    def definition(self) -> dict[str, Any]:
        """For the Messages API: the same keys in the same order in every process."""
        return {"name": self.name, "description": self.description, "input_schema": codec.loads(self.schema)}


class ToolSource(Protocol):
    """What a turn needs of MCP servers. `username` is of the users file, and comes from the turn, never from the model."""

    def definitions(self, username: str) -> tuple[McpTool, ...]:
        """The tools for a person, sorted by name; those that are `never` are left out. No I/O."""
        ...

    def servers(self, username: str) -> Mapping[str, str]:
        """The servers of whose tools a person may use some, by name: why one cannot be used now, "" for one that can. No I/O."""
        ...

    async def call(self, name: str, arguments: Mapping[str, Any], username: str, timeout: float | None = None) -> CallResult:  # noqa: ASYNC109
        """Call a tool by its `server__tool` name; an `ask` tool only after the yes, which is the caller's to know.

        `timeout` is in seconds and shortens the operator's; all waiting is within it. No failure of a server is raised: the result tells
        it, and whether the call may have happened. A caller that is cancelled does not know that.
        """
        ...

    async def aclose(self) -> None:
        """Close all sessions and end all programs; calls under way are broken off."""
        ...


class McpTools:
    """The tools of the configured servers. It belongs to one event loop."""

    def __init__(self, servers: Iterable[McpServer], commands: Commands, folder: Path, login_key: str = "") -> None:
        """`folder` is where the worker processes of a host share programs (`share`); `login_key` opens the stored logins."""
        self._servers = {server.name: server for server in servers}
        self._commands = commands
        self._lists = StoredLists()
        self._shown: dict[str, tuple[McpTool, ...]] = {}
        opener = opener_of(Logins(commands, login_key), folder)
        self._owners = {name: Owner(server, opener, self._heard) for name, server in self._servers.items()}

    def definitions(self, username: str) -> tuple[McpTool, ...]:
        """See `ToolSource`."""
        if username not in self._shown:
            self._shown[username] = self._made(username)
        return self._shown[username]

    def servers(self, username: str) -> dict[str, str]:
        """See `ToolSource`."""
        names = {parts[0] for tool in self.definitions(username) if (parts := split_name(tool.name))}
        return {name: self._owners[name].unusable for name in sorted(names)}

    async def call(self, name: str, arguments: Mapping[str, Any], username: str, timeout: float | None = None) -> CallResult:  # noqa: ASYNC109
        """See `ToolSource`."""
        tool = next((each for each in self.definitions(username) if each.name == name), None)
        parts = split_name(name)
        if tool is None or parts is None:
            return not_made("there is no such tool now")
        if fault := _arguments_fault(arguments):
            return not_made(fault)
        seconds = tool.rule.timeout_seconds if timeout is None else min(timeout, tool.rule.timeout_seconds)
        if seconds <= 0:
            return not_made("no time was left for it")
        return await self._owners[parts[0]].call(parts[1], tool.digest, arguments, seconds)

    async def refresh(self) -> None:
        """Read the lists from Redis. Raises RedisError."""
        self._take(await mcp_lists.read_async(self._commands))

    async def run(self, stopping: asyncio.Event) -> None:
        """Read them again and again until the process is told to end; while Redis is away, the last ones count."""
        await run_until(stopping, self._keep_reading())

    async def aclose(self) -> None:
        """See `ToolSource`."""
        await asyncio.gather(*(owner.aclose() for owner in self._owners.values()), return_exceptions=True)

    async def _keep_reading(self) -> None:
        while True:
            try:
                await self.refresh()
            except (RedisError, OSError) as error:
                LOG.warning("The MCP servers' lists could not be read.", action="mcp_lists_not_read", reason=type(error).__name__)
            await asyncio.sleep(REFRESH_SECONDS)

    def _take(self, lists: StoredLists) -> None:
        if lists != self._lists:
            self._lists, self._shown = lists, {}

    def _made(self, username: str) -> tuple[McpTool, ...]:
        found = (self._tool(server, tool) for server in self._servers.values() for tool in self._lists.usable(server.name))
        shown = [tool for tool in found if tool.rule.approval != "never" and _is_for(tool.rule, username)]
        return tuple(sorted(shown, key=lambda tool: tool.name))

    def _tool(self, server: McpServer, tool: ListedTool) -> McpTool:
        return McpTool(full_name(server.name, tool.name), tool.description, tool.schema, server.rule_of(tool.name), tool.digest)

    async def _heard(self, server: str, listed: ToolList) -> None:
        """A server has said its list: where it is another than before, all processes are told by Redis."""
        before = self._lists.newest.get(server)
        if before is not None and before.list == listed:
            return
        if before is None and self._lists.accepted_list(server) == listed:
            return
        now = int(time.time() * 1000)
        self._take(StoredLists(self._lists.accepted, {**self._lists.newest, server: StoredList(listed, now)}))
        LOG.warning("An MCP server's tools have changed; `boss mcp accept` accepts them.", action="mcp_changed", server=server)
        try:
            await mcp_lists.heard_async(self._commands, server, listed, now)
        except (RedisError, OSError) as error:
            LOG.warning("An MCP server's list could not be stored.", action="mcp_list_not_stored", reason=type(error).__name__)


def _is_for(rule: ToolRule, username: str) -> bool:
    return rule.persons is None or username in rule.persons


def _arguments_fault(arguments: Mapping[str, Any]) -> str:
    """Why arguments are not sent."""
    try:
        size = len(codec.dumps(dict(arguments)))
    except (TypeError, ValueError, RecursionError):
        return "its arguments are not JSON"
    return f"its arguments have {size:,} bytes, and {MAX_ARGUMENTS:,} are the most" if size > MAX_ARGUMENTS else ""


def open_tools(settings: Settings, commands: Commands) -> McpTools | None:
    """The tools of a process; None where no servers are configured. Nothing is opened. Raises ConfigurationError."""
    servers = load_mcp_servers(settings)
    if not servers:
        return None
    KNOWN_SECRETS.add(secret for server in servers for secret in server.secrets)
    return McpTools(servers, commands, settings.boss_data_dir / "mcp", settings.boss_mcp_key.get_secret_value())


def opener_of(logins: Logins, folder: Path | None) -> OpenSession:
    """Opens sessions by the SDK, which is imported by the first. With `folder`, a program is one for all processes of the host."""

    @asynccontextmanager
    async def opened(server: McpServer) -> AsyncIterator[McpSession]:
        by_sdk = await asyncio.to_thread(open_by_sdk)
        if server.command and folder is not None:
            session: AbstractAsyncContextManager[McpSession] = shared_session(server, folder, by_sdk)
        else:
            session = by_sdk(server, StoredLogin(server, logins) if server.login else None)
        async with session as found:
            yield found

    return opened
