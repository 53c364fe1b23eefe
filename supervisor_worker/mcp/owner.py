"""The owner of one server's session in this process: the one task that opens it, uses it and closes it.

A server that dies during a call over HTTP makes the SDK cancel the task that opened the session. So no caller is ever that task: it puts
its request into a queue and waits for a future, and what becomes of the session is at most an error of its call.
"""

from __future__ import annotations

import asyncio
import importlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final, cast

from shared.backoff import Backoff
from shared.config.mcp_servers import McpServer
from shared.model.mcp_tools import ToolList
from shared.observability import logs
from shared.process.tasks import cancel_and_wait
from supervisor_worker.mcp.results import CallResult, not_made, unknown
from supervisor_worker.mcp.sessions import McpSession, OpenSession, SessionEnded, innermost

OPEN_SECONDS: Final = 20.0
"""For starting or connecting, agreeing on the protocol and the first list: a program may import for seconds."""
CLOSE_SECONDS: Final = 5.0
MAX_WAITING: Final = 500
"""Calls of one server that this process holds, waiting and under way."""
MAX_TIMEOUTS: Final = 3
"""After so many calls in a row without an answer in time the session is given up: the server hangs as a whole."""
FIRST_SECONDS: Final = 0.5
LONGEST_SECONDS: Final = 60.0
SPREAD: Final = (0.8, 1.2)
LATE_SECONDS: Final = 1.0
"""How much longer a caller waits than its call may take: then the owner itself does not answer."""
LOG: Final = logs.logger(__name__)

Heard = Callable[[str, ToolList], Awaitable[None]]
"""Told of a server's list whenever it was asked for: the server's name, and the list."""


@dataclass(eq=False)
class _PendingCall:
    tool: str
    digest: str
    arguments: Mapping[str, Any] = field(repr=False)
    end: float
    answer: asyncio.Future[CallResult]
    begun: bool = False

    def begin(self) -> None:
        """Its request leaves now. Raises TimeoutError after its end: this process stood still, and others may count on that end."""
        if asyncio.get_running_loop().time() >= self.end:
            raise TimeoutError
        self.begun = True

    def settle(self, result: CallResult) -> None:
        """Answer the caller, unless it has gone or has its answer."""
        if not self.answer.done():
            self.answer.set_result(result)

    def give_up(self, reason: str) -> None:
        """Answer that the call was not made, or that nobody knows."""
        self.settle(unknown(reason) if self.begun else not_made(reason))


class Owner:
    """Calls of one server: opened for the first one, closed when nobody calls for a while, and opened anew after a failure."""

    def __init__(self, server: McpServer, open_session: OpenSession, heard: Heard) -> None:
        self.server = server
        self._open, self._heard = open_session, heard
        self._queue: deque[_PendingCall] = deque()
        self._arrived: asyncio.Future[None] | None = None
        self._held: set[_PendingCall] = set()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._backoff = Backoff(FIRST_SECONDS, LONGEST_SECONDS, SPREAD)
        self._not_before = 0.0
        self._reason = ""

    @property
    def running(self) -> bool:
        """Whether its task lives: it does while the session is open."""
        return self._task is not None and not self._task.done()

    @property
    def unusable(self) -> str:
        """Why no call is made now; "" where one would be."""
        waits = self._not_before > asyncio.get_running_loop().time() and not self.running
        return self._reason if waits else ""

    async def call(self, tool: str, digest: str, arguments: Mapping[str, Any], seconds: float) -> CallResult:
        """Call a tool within `seconds`, all waiting included. `digest`: of the tool as it was accepted. No failure is raised."""
        if self._closed:
            return not_made("the process is ending")
        if len(self._held) >= MAX_WAITING:
            return not_made(f"too many calls of {self.server.name} are waiting")
        loop = asyncio.get_running_loop()
        if (wait := self._not_before - loop.time()) > 0 and not self.running:
            return not_made(f"{self.server.name} cannot be used now ({self._reason}); it is tried again in {max(1, round(wait))} s")
        request = _PendingCall(tool, digest, arguments, loop.time() + seconds, loop.create_future())
        self._held.add(request)
        self._queue.append(request)
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)
        self._start()
        try:
            async with asyncio.timeout_at(request.end + LATE_SECONDS):
                return await asyncio.shield(request.answer)
        except TimeoutError:
            return unknown("its time ran out") if request.begun else not_made("its time ran out before it was sent")
        finally:
            self._held.discard(request)
            request.answer.cancel()

    async def aclose(self) -> None:
        """Close the session. A call that is under way is broken off: whoever wants its answer waits for it before."""
        self._closed = True
        if self._task is not None:
            await cancel_and_wait([self._task])
        for request in list(self._held):
            request.give_up("the process is ending")

    def _start(self) -> None:
        if not self.running and not self._closed:
            self._task = asyncio.create_task(self._run(), name=f"mcp {self.server.name}")
            self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """What came while the session was being closed opens the next one."""
        if not task.cancelled():
            task.exception()  # asked for, so that nobody logs it: `_run` catches what a session can raise
        if self._queue:
            self._start()

    async def _run(self) -> None:
        """One session from its opening to its end. The SDK may cancel this very task: unless we end, that is a failure like any other."""
        session = asyncio.create_task(self._session())
        try:
            await asyncio.wait({session})
            failure = reason_of(session)
        except asyncio.CancelledError:
            await cancel_and_wait([session])
            reason_of(session)  # asked for, so that nobody logs one that failed just now
            raise
        if failure:
            self._failed(failure)

    def _failed(self, reason: str) -> None:
        wait = self._backoff.next()
        self._reason, self._not_before = reason, asyncio.get_running_loop().time() + wait
        LOG.warning("An MCP server failed.", action="mcp_failed", server=self.server.name, reason=reason, again_in_s=round(wait, 1))
        while self._queue:
            self._queue.popleft().give_up(reason)

    async def _session(self) -> None:
        """Open, serve and close. Raises whatever ended it, and nothing for a session that nobody uses any more."""
        calls: set[asyncio.Task[Any]] = set()
        stack = AsyncExitStack()
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                session = await stack.enter_async_context(self._open(self.server))
                tools = _Tools(session, self.server.name, self._heard)
                await tools.ask()
            await self._serve(session, tools, calls)
        finally:
            # A stack that cannot be closed in time is left: what it holds has been cancelled, and a program's group was killed first.
            try:
                await cancel_and_wait(calls)
            finally:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await stack.aclose()

    async def _serve(self, session: McpSession, tools: _Tools, calls: set[asyncio.Task[Any]]) -> None:
        """Take requests until nobody has made any for a while. Raises SessionEnded when the session has ended."""
        slots, health = asyncio.Semaphore(self.server.at_once), _Health()
        watch = asyncio.create_task(session.ended())
        calls.add(watch)
        while True:
            while self._queue:
                request = self._queue.popleft()
                if request.answer.done():  # its caller has gone: nothing is begun for nobody
                    continue
                call = asyncio.create_task(self._make(request, session, tools, slots, health))
                calls.add(call)
                call.add_done_callback(calls.discard)
            self._arrived = asyncio.get_running_loop().create_future()
            waited: list[asyncio.Future[Any]] = [self._arrived, watch, health.broken]
            done, _ = await asyncio.wait(waited, timeout=self.server.idle_seconds, return_when=asyncio.FIRST_COMPLETED)
            if health.broken.done():
                raise SessionEnded(health.broken.result())
            if watch.done():
                raise SessionEnded("the server has ended")
            if not done and calls <= {watch} and not session.in_use():
                return

    async def _make(self, request: _PendingCall, session: McpSession, tools: _Tools, slots: asyncio.Semaphore, health: _Health) -> None:
        """Make one call and answer it, whatever becomes of it."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type checker: this is one
        request.answer.add_done_callback(lambda answer: task.cancel() if answer.cancelled() else None)
        try:
            async with asyncio.timeout_at(request.end), slots:
                if session.stale:
                    await tools.ask()
                if fault := tools.fault(request.tool, request.digest):
                    request.settle(not_made(fault))
                    return
                request.begin()
                request.settle(await session.call(request.tool, request.arguments))
            health.timeouts = 0
            self._backoff.reset()
        except TimeoutError:
            request.give_up("its time ran out" if request.begun else "its time ran out before it was sent")
            health.timed_out(begun=request.begun)
        except SessionEnded as error:
            request.begun = request.begun and error.begun
            request.give_up(error.reason)
            health.end(error.reason)
        except Exception as error:  # noqa: BLE001 - whatever a library raises is an error of this call
            request.give_up("the connection to the server failed")
            health.end(f"the connection failed ({type(error).__name__})")
        finally:
            request.give_up("the server went away")


class _Health:
    """How the calls of a session go."""

    def __init__(self) -> None:
        self.timeouts = 0
        self.broken: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def timed_out(self, *, begun: bool) -> None:
        """Count a call that had no answer in time."""
        self.timeouts += begun
        if self.timeouts >= MAX_TIMEOUTS:
            self.end("the server does not answer")

    def end(self, reason: str) -> None:
        """The session is of no further use."""
        if not self.broken.done():
            self.broken.set_result(reason)


class _Tools:
    """The server's list as it is now: a tool that differs from the accepted one is not called."""

    def __init__(self, session: McpSession, server: str, heard: Heard) -> None:
        self._session, self._server, self._heard = session, server, heard
        self._list = ToolList()

    async def ask(self) -> None:
        """Ask for the list. Raises SessionEnded."""
        self._list = await self._session.list_tools()
        await self._heard(self._server, self._list)

    def fault(self, name: str, digest: str) -> str:
        """Why a tool is not called; '' for one that is."""
        tool = self._list.by_name.get(name)
        if tool is None:
            return f"{self._server} does not have this tool any more"
        return "" if tool.digest == digest else "the server has changed this tool, and the operator has not accepted that yet"


def reason_of(session: asyncio.Task[Any]) -> str:
    """Why a session failed, in a clause of ours; '' for one that was closed because nobody used it."""
    if session.cancelled():
        return "the connection was lost"
    if (raised := session.exception()) is None:
        return ""
    error = innermost(raised)
    if isinstance(error, SessionEnded):
        return error.reason
    if isinstance(error, TimeoutError):
        return "it does not answer"
    return f"the connection failed ({type(error).__name__})"


def open_by_sdk() -> Callable[..., AbstractAsyncContextManager[McpSession]]:
    """The function that opens sessions by the SDK. The first call imports it, which takes a second: for a thread."""
    return cast("Callable[..., AbstractAsyncContextManager[McpSession]]", importlib.import_module("supervisor_worker.mcp.sdk").open_session)
