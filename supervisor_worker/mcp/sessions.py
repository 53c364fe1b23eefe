"""What an owner asks of a session with a server, whoever holds it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from shared.config.mcp_servers import McpServer
from shared.model.mcp_tools import ToolList
from supervisor_worker.mcp.results import CallResult


class SessionEnded(Exception):
    """The session is of no further use. `begun`: the call may have reached the server."""

    def __init__(self, reason: str, *, begun: bool = True) -> None:
        """`reason` is a clause of ours: what servers and libraries say is in no error."""
        super().__init__(reason)
        self.reason = reason
        self.begun = begun


def silence_library() -> None:
    """Have the SDK's log go nowhere: its lines may hold what servers say, and what they were asked.

    A logger without any handler writes to stderr by Python's last resort.
    """
    library = logging.getLogger("mcp")
    library.propagate = False
    library.addHandler(logging.NullHandler())


def innermost(error: BaseException) -> BaseException:
    """The first error within groups of them: the SDK's tasks raise such groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


class McpSession(Protocol):
    """An open session. Calls may be made beside one another."""

    @property
    def stale(self) -> bool:
        """Whether the list may have changed since it was asked for."""
        ...

    async def list_tools(self) -> ToolList:
        """The server's tools now. Raises SessionEnded."""
        ...

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> CallResult:
        """Call a tool; the caller bounds the time and cancels. Raises SessionEnded."""
        ...

    async def ended(self) -> None:
        """Return when the session has ended by itself, as far as that is noticed."""
        ...

    def in_use(self) -> bool:
        """Whether others use it, too."""
        ...


OpenSession = Callable[[McpServer], AbstractAsyncContextManager[McpSession]]
"""Opens a session; leaving the block closes it. Raises SessionEnded, and whatever a library raises; the caller bounds the time."""
