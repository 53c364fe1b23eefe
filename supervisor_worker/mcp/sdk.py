"""A session by the SDK. This module, and what imports it, is loaded by `owner` when a server is used for the first time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import httpx2
import mcp_types as types
from jsonschema import Draft202012Validator, SchemaError
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from shared.config.mcp_servers import McpServer
from shared.model.mcp_tools import ToolList, listed
from supervisor_worker.channels.notes import theirs
from supervisor_worker.mcp import http, stdio
from supervisor_worker.mcp.logins import LoginNeeded
from supervisor_worker.mcp.results import CallResult, answered, not_made, refused, unknown
from supervisor_worker.mcp.sessions import SessionEnded, innermost, silence_library

MAX_PAGES: Final = 10
TERMINATED: Final = "Session terminated"
"""What the SDK makes of a 404: the server was started anew and has not looked at the call."""
_NO_ANSWER: Final = frozenset({types.CONNECTION_CLOSED, types.REQUEST_TIMEOUT, types.INTERNAL_ERROR, types.INVALID_REQUEST})
"""Errors that the SDK makes when no answer came; a server that uses one of them is not believed either."""
UNAUTHORIZED: Final = 401
_NOT_LOOKED_AT: Final = {
    UNAUTHORIZED: "the server refuses our token (401)",
    403: "the server refuses us this (403)",
    404: "the server does not know the address that this was sent to (404)",
}
"""What is answered before a call is looked at."""
_UNREADABLE: Final = frozenset({types.PARSE_ERROR, stdio.TOO_LARGE})
silence_library()


class SdkSession:
    """A session with a server, open."""

    stale = False

    def __init__(self, server: McpServer) -> None:
        self._server = server
        self._ended = asyncio.Event()
        self._client: Client | None = None

    async def list_tools(self) -> ToolList:
        """All pages of the list. Raises SessionEnded."""
        self.stale = False
        found: list[tuple[str, str, object]] = []
        cursor = None
        for _ in range(MAX_PAGES):
            try:
                page = await self._opened.list_tools(cursor=cursor, cache_mode="bypass")
            except (MCPError, ValidationError, RuntimeError):
                raise SessionEnded("the server does not say what tools it has", begun=False) from None
            found += [(tool.name, tool.description or "", tool.input_schema) for tool in page.tools]
            cursor = page.next_cursor
            if not cursor:
                break
        return listed(self._server.name, found, theirs, _is_schema)

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> CallResult:
        """Ask for one call. Raises SessionEnded.

        The result is not compared with the schema that the server gives for it: its patterns would be run on this process's loop.
        """
        params = types.CallToolRequestParams(name=tool, arguments=dict(arguments))
        statuses = http.statuses_from_now()
        try:
            result = await self._opened.session.send_request(types.CallToolRequest(params=params), types.CallToolResult)
        except (MCPError, asyncio.CancelledError) as error:  # cancelled: its owner has ended the session, perhaps for this very answer
            if reason := self._unmade(next(reversed(statuses), 0), error):
                return not_made(reason)
            if isinstance(error, MCPError):
                return _failed(error)
            raise
        except ValidationError:
            return unknown("the server's answer is not what MCP says it must be")
        return answered(result.content or [], is_error=bool(result.is_error))

    def _unmade(self, status: int, error: BaseException) -> str:
        """Why a server has not looked at a call, in a clause of ours; "" where it may have, or has ended its session."""
        if isinstance(error, MCPError) and error.error.message == TERMINATED:
            return ""
        if status == UNAUTHORIZED and self._server.login:
            return LoginNeeded(self._server.name).reason
        return _NOT_LOOKED_AT.get(status, "")

    async def ended(self) -> None:
        """A program's end is noticed at once, that of an address by the next call."""
        await self._ended.wait()

    def in_use(self) -> bool:
        """Only its owner uses it."""
        return False

    @property
    def _opened(self) -> Client:
        if self._client is None:
            raise SessionEnded("the server is not open", begun=False)
        return self._client

    async def _heard(self, message: Any) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            self.stale = True

    @asynccontextmanager
    async def opened(self, auth: httpx2.Auth | None) -> AsyncIterator[SdkSession]:
        """Start or connect, and agree on the protocol."""
        statuses = http.statuses_from_now()
        async with AsyncExitStack() as stack:
            if self._server.command:
                transport: Any = stdio.program(self._server, self._ended)
            else:
                client = await stack.enter_async_context(http.client(self._server, auth, noted=True))
                transport = streamable_http_client(self._server.url, http_client=client, max_sse_event_size=http.MAX_ANSWER)
            try:
                self._client = await stack.enter_async_context(Client(transport, message_handler=self._heard, cache=None))
            except (MCPError, ExceptionGroup) as error:
                if not isinstance(innermost(error), MCPError):
                    raise
                status = next(reversed(statuses), 0)
                said = f"it refuses our token ({status})" if status in (UNAUTHORIZED, 403) else "it does not speak MCP as we do"
                raise SessionEnded(f"{said}, and no session was opened", begun=False) from None
            yield self


@asynccontextmanager
async def open_session(server: McpServer, auth: httpx2.Auth | None = None) -> AsyncIterator[SdkSession]:
    """A session with a server. Raises SessionEnded where the reason is known, and what the libraries raise."""
    try:
        async with SdkSession(server).opened(auth) as session:
            yield session
    except FileNotFoundError:
        raise SessionEnded("its command, or its directory, is not there", begun=False) from None
    except PermissionError:
        raise SessionEnded("its command may not be run by this user", begun=False) from None


def _failed(error: MCPError) -> CallResult:
    """An error instead of a result. Raises SessionEnded where the connection is gone."""
    code = error.error.code
    if code == types.INVALID_REQUEST and error.error.message == TERMINATED:
        raise SessionEnded("the server was started anew; it can be asked once more", begun=False)
    if code in _UNREADABLE:
        return unknown("the server's answer is too large, or cannot be read")
    if code in _NO_ANSWER:
        raise SessionEnded("the server went away, or answered with an error of its own")
    return refused(error.error.message)


def _is_schema(schema: dict[str, Any]) -> bool:
    """Whether the API would take a schema for one. It is bounded before."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError:
        return False
    return True
