"""One use of a server by an operator: open it, ask for its list, perhaps call a tool, close it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.config.mcp_servers import McpServer
from shared.model.mcp_tools import ToolList
from supervisor_worker.mcp.owner import CLOSE_SECONDS, OPEN_SECONDS, reason_of
from supervisor_worker.mcp.results import CallResult
from supervisor_worker.mcp.sessions import OpenSession, SessionEnded


@dataclass(frozen=True, slots=True)
class Trial:
    """What was seen. `result` is None where no tool was called."""

    tools: ToolList
    result: CallResult | None = None


async def trial(server: McpServer, open_session: OpenSession, tool: str = "", arguments: Mapping[str, Any] | None = None) -> Trial:
    """Use a server once, in a task of its own. Raises SessionEnded with the reason."""
    work = asyncio.create_task(_used(server, open_session, tool, arguments or {}))
    await asyncio.wait({work}, timeout=OPEN_SECONDS + server.rule_of(tool).timeout_seconds + CLOSE_SECONDS)
    if not work.done():
        work.cancel()
        raise SessionEnded("it does not end")
    if reason := reason_of(work):
        raise SessionEnded(reason)
    return work.result()


async def _used(server: McpServer, open_session: OpenSession, tool: str, arguments: Mapping[str, Any]) -> Trial:
    async with asyncio.timeout(OPEN_SECONDS) as opening, open_session(server) as session:
        listed = await session.list_tools()
        opening.reschedule(None)
        if not tool:
            return Trial(listed)
        async with asyncio.timeout(server.rule_of(tool).timeout_seconds):
            return Trial(listed, await session.call(tool, arguments))
