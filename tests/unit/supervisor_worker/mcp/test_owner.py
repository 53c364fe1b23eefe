"""The owner of a session, with sessions that are scripted: what it begins, and what it does when a library cancels its task."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from shared.config.mcp_servers import McpServer
from shared.model.mcp_tools import ListedTool, ToolList
from supervisor_worker.mcp.owner import Owner
from supervisor_worker.mcp.results import CallResult, Fate
from tests.support.loop import in_loop

TOOL = ListedTool("send", "Sends.", "{}")


class ScriptedSession:
    """A session in this process; `begun` are the calls that it was asked for, noted at once."""

    stale = False

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.opened = 0
        self.opening: Callable[[], object] | None = None
        self.calling: Callable[[], object] | None = None
        self.task: asyncio.Task[Any] | None = None

    async def list_tools(self) -> ToolList:
        """One tool."""
        return ToolList((TOOL,))

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> CallResult:
        """Note it, and answer after a while."""
        self.begun.append(f"{tool} {arguments['to']}")
        if self.calling:
            self.calling()
        await asyncio.sleep(0.01)
        return CallResult("done", Fate.ANSWERED)

    async def ended(self) -> None:
        """Never by itself."""
        await asyncio.Event().wait()

    def in_use(self) -> bool:
        """By nobody else."""
        return False

    @asynccontextmanager
    async def open(self, _server: McpServer) -> AsyncIterator[ScriptedSession]:
        """Open it; the task that does so is known."""
        self.opened += 1
        self.task = asyncio.current_task()
        if self.opening:
            self.opening()
        await asyncio.sleep(0)
        yield self


@asynccontextmanager
async def owned(session: ScriptedSession) -> AsyncIterator[Owner]:
    """An owner of it, closed at the end."""

    async def heard(_server: str, _tools: ToolList) -> None:
        pass

    owner = Owner(McpServer(name="desk", command="none"), session.open, heard)
    try:
        yield owner
    finally:
        await owner.aclose()


def calling(owner: Owner, to: str, seconds: float = 5) -> asyncio.Task[CallResult]:
    return asyncio.create_task(owner.call("send", TOOL.digest, {"to": to}, seconds))


@in_loop
async def test_nothing_is_begun_for_a_caller_that_has_gone() -> None:
    """One that left while the session was being opened."""
    session = ScriptedSession()
    async with owned(session) as owner:
        gone = calling(owner, "nobody")
        session.opening = gone.cancel
        await asyncio.wait({gone})
        assert (await calling(owner, "tom")).fate is Fate.ANSWERED
        assert session.begun == ["send tom"]


@in_loop
async def test_nothing_is_begun_after_the_end_of_a_call_s_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process stood still between a call's turn and its request: whoever resumes the turn has stopped waiting for it."""
    session = ScriptedSession()
    async with owned(session) as owner:
        await calling(owner, "first")

        def stands_still(*_: object) -> str:
            """Longer than the call may take, and the loop has no chance to notice."""
            time.sleep(0.3)
            return ""

        monkeypatch.setattr("supervisor_worker.mcp.owner._Tools.fault", stands_still)
        late = await calling(owner, "late", 0.2)
        assert (late.fate, session.begun) == (Fate.NOT_MADE, ["send first"])


@in_loop
async def test_a_library_that_cancels_the_task_that_opened_the_session_costs_one_call_and_is_a_failure_of_the_server() -> None:
    """The owner itself goes on: whoever waits is told, and the server is left alone for a while."""
    session = ScriptedSession()
    async with owned(session) as owner:
        session.calling = lambda: session.task and session.task.cancel()
        assert (await calling(owner, "tom")).fate is Fate.UNKNOWN
        session.calling = None
        refused = await calling(owner, "later")
        assert (refused.fate, "the connection was lost" in refused.text) == (Fate.NOT_MADE, True)
        assert session.opened == 1
