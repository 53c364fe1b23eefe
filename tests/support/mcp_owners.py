"""An owner and the list that its server said last, so that a test calls tools by name."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from shared.config.mcp_servers import McpServer
from shared.model.mcp_tools import ToolList
from supervisor_worker.mcp.owner import Owner
from supervisor_worker.mcp.results import CallResult, Fate
from supervisor_worker.mcp.sdk import open_session
from supervisor_worker.mcp.sessions import OpenSession
from tests.support.processes import ROOT

PROGRAM = ROOT / "tests" / "support" / "mcp_program.py"
LIBRARY_SERVER = ROOT / "tests" / "support" / "mcp_library_server.py"


def program(kind: str, *files: Path, **fields: Any) -> McpServer:
    """A server that is a program of that kind."""
    return McpServer(name="program", command=sys.executable, args=("-S", "-E", str(PROGRAM), kind, *map(str, files)), **fields)


class Caller:
    """Calls tools as they are now."""

    def __init__(self, server: McpServer, opener: OpenSession = open_session) -> None:
        self.lists: list[ToolList] = []
        self.owner = Owner(server, opener, self._heard)

    async def _heard(self, _server: str, listed: ToolList) -> None:
        self.lists.append(listed)

    async def call(self, tool: str, within: float = 20, **arguments: Any) -> CallResult:
        """A call of the tool as the server said it last; the first one asks for that."""
        if not self.lists:
            first = await self.owner.call(tool, "", {}, within)
            if not self.lists:
                return first
        return await self.owner.call(tool, self.lists[-1].by_name[tool].digest, arguments, within)

    async def soon(self, tool: str, **arguments: Any) -> CallResult:
        """The same, once the server is tried again after a failure."""
        end = time.monotonic() + 10
        while (found := await self.call(tool, **arguments)).fate is Fate.NOT_MADE and time.monotonic() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        return found


@asynccontextmanager
async def calling(server: McpServer, opener: OpenSession = open_session) -> AsyncIterator[Caller]:
    """A caller, whose owner is closed at the end."""
    caller = Caller(server, opener)
    try:
        yield caller
    finally:
        await caller.owner.aclose()


def alive(starts: Path) -> list[int]:
    """The processes of a file of starts that still run."""
    numbers = [int(line) for line in starts.read_text().split()] if starts.exists() else []
    return [number for number in numbers if _runs(number)]


def _runs(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
