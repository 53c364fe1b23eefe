"""One program a host: the worker process that starts a server's program serves the others of the host over a socket.

A program takes 70 MiB and more, and a host may run several worker processes. Who holds the lock of a file is the holder: it starts the
program and listens. The others connect, and call through it. When the holder ends, however it ends, the kernel gives the lock back and
breaks the connections; the next call makes another process the holder. A call is said to have begun before it is made: a connection that
breaks before that has made nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from shared.config.mcp_servers import McpServer
from shared.errors import BadInput
from shared.model import codec
from shared.model.mcp_tools import ToolList
from shared.process.tasks import cancel_and_wait
from shared.runtime import MAX_SOCKET_PATH
from supervisor_worker.mcp.results import CallResult, Fate
from supervisor_worker.mcp.sessions import McpSession, OpenSession, SessionEnded

AGAIN_SECONDS: Final = 0.1
MAX_LINE: Final = 4_000_000
MAX_AT_ONCE: Final = 1_000
"""Requests of one other process that the holder has under way."""
_SAME: Final = "same"


@asynccontextmanager
async def shared_session(server: McpServer, folder: Path, open_session: OpenSession) -> AsyncIterator[McpSession]:
    """The session of this host with a server's program: opened here, or the one of another process. The caller bounds the time.

    `folder` is the same for all processes that share. Raises SessionEnded, and what `open_session` raises.
    """
    lock_path, socket_path = _paths(folder, server)
    while True:
        if (lock := _take(lock_path)) is not None:
            try:
                async with open_session(server) as session, _listening(session, socket_path) as own:
                    yield own
            finally:
                os.close(lock)
            return
        if (remote := await _connect(socket_path)) is not None:
            try:
                yield remote
            finally:
                await remote.aclose()
            return
        await asyncio.sleep(AGAIN_SECONDS)


def _paths(folder: Path, server: McpServer) -> tuple[Path, Path]:
    """The lock and the socket of a server; a program that is started otherwise is another. Raises SessionEnded."""
    how = json.dumps([server.name, server.command, server.args, sorted(server.env.items()), server.cwd])
    name = sha256(how.encode()).hexdigest()[:16]
    place = folder.resolve()
    if len(str(place / f"{name}.sock").encode()) > MAX_SOCKET_PATH:
        place = Path(tempfile.gettempdir()) / f"bossline-mcp-{os.getuid()}-{sha256(str(place).encode()).hexdigest()[:12]}"
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = place.lstat()
    except OSError:
        raise SessionEnded("the directory of its socket cannot be used", begun=False) from None
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise SessionEnded("the directory of its socket is not this user's alone", begun=False)
    return place / f"{name}.lock", place / f"{name}.sock"


def _take(path: Path) -> int | None:
    """The lock's descriptor, to be closed; None while another process has it. Raises SessionEnded."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        raise SessionEnded("the directory of its socket cannot be used", begun=False) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


async def _connect(path: Path) -> _Remote | None:
    """A session by the holder; None while it does not listen yet."""
    try:
        reader, writer = await asyncio.open_unix_connection(str(path), limit=MAX_LINE)
    except OSError:
        return None
    return _Remote(reader, writer)


@asynccontextmanager
async def _listening(session: McpSession, path: Path) -> AsyncIterator[_Own]:
    """Serve other processes while the block lasts. The caller has the lock, so that a socket that is there is a dead holder's."""
    path.unlink(missing_ok=True)  # noqa: ASYNC240 - a name in a directory of this machine
    own = _Own(session)
    server = await asyncio.start_unix_server(own.serve, str(path), limit=MAX_LINE)
    try:
        yield own
    finally:
        server.close()
        path.unlink(missing_ok=True)  # noqa: ASYNC240
        await cancel_and_wait(own.connections)


class _Own:
    """The holder's own use of the session, and that of the others."""

    def __init__(self, session: McpSession) -> None:
        self._session = session
        self._list: ToolList | None = None
        self._seen: ToolList | None = None
        self._asking = asyncio.Lock()
        self.connections: set[asyncio.Task[Any]] = set()

    @property
    def stale(self) -> bool:
        """Whether the list has changed since the holder itself asked for it."""
        return self._session.stale or self._list is not self._seen

    async def list_tools(self) -> ToolList:
        """The list; the server is asked once for all processes."""
        self._seen = await self._tools()
        return self._seen

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> CallResult:
        """As the session itself."""
        return await self._session.call(tool, arguments)

    async def ended(self) -> None:
        """As the session itself."""
        await self._session.ended()

    def in_use(self) -> bool:
        """Whether other processes are connected: each leaves when it has not called for a while."""
        return bool(self.connections)

    async def _tools(self) -> ToolList:
        async with self._asking:
            if self._list is None or self._session.stale:
                self._list = await self._session.list_tools()
            return self._list

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One other process, until it leaves."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type checker: this is one
        self.connections.add(task)
        writer.transport.set_write_buffer_limits(high=0)  # what `drain` has returned for is in the kernel's hands
        requests: dict[int, asyncio.Task[None]] = {}
        try:
            while line := await reader.readline():
                request = codec.loads(line)
                number = int(request["id"])
                if request["op"] == "cancel":
                    if number in requests:
                        requests[number].cancel()
                elif len(requests) < MAX_AT_ONCE:
                    requests[number] = asyncio.create_task(self._answer(number, request, writer))
                    requests[number].add_done_callback(partial(_forget, requests, number))
        except (OSError, ValueError, BadInput, KeyError, TypeError):
            pass  # a process that ended, or speaks another version of this: it is disconnected
        finally:
            self.connections.discard(task)
            for each in list(requests.values()):
                each.cancel()
            writer.close()

    async def _answer(self, number: int, request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        try:
            answer: dict[str, Any]
            if request["op"] == "list":
                found = await self._tools()
                answer = {"tools": _SAME if found.digest == request["known"] else found.text()}
            else:
                await _say(writer, {"id": number, "begun": True})
                result = await self._session.call(str(request["tool"]), request["arguments"])
                answer = {"result": [result.text, result.fate.value, result.is_error, result.truncated]}
        except SessionEnded as error:
            answer = {"ended": error.reason, "begun": error.begun}
        except (OSError, KeyError):
            return
        except Exception:  # noqa: BLE001 - whatever a library raises is an error of this call
            answer = {"ended": "the connection to the server failed", "begun": True}
        with contextlib.suppress(OSError):
            await _say(writer, {"id": number, **answer})


class _Remote:
    """A session by the holder."""

    stale = True
    """The holder is asked before each call whether the list is still the same; it asks the server only when that says so."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        writer.transport.set_write_buffer_limits(high=0)
        self._next = 0
        self._waiting: dict[int, tuple[asyncio.Future[dict[str, Any]], list[bool]]] = {}
        self._list = ToolList()
        self._gone = asyncio.Event()
        self._reading = asyncio.create_task(self._read(reader))

    async def list_tools(self) -> ToolList:
        """The list as the holder has it. Raises SessionEnded."""
        answer = await self._ask({"op": "list", "known": self._list.digest if self._list.tools else ""})
        if answer["tools"] != _SAME:
            self._list = ToolList.parse(answer["tools"])
        return self._list

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> CallResult:
        """One call by the holder. Raises SessionEnded."""
        answer = await self._ask({"op": "call", "tool": tool, "arguments": dict(arguments)})
        text, fate, is_error, truncated = answer["result"]
        return CallResult(text, Fate(fate), is_error=is_error, truncated=truncated)

    async def ended(self) -> None:
        """Return when the holder has ended."""
        await self._gone.wait()

    def in_use(self) -> bool:
        """Nobody uses it but its owner."""
        return False

    async def aclose(self) -> None:
        """Leave the holder."""
        self._writer.close()
        await cancel_and_wait([self._reading])

    async def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Ask, and wait for the answer. Raises SessionEnded: begun, if the holder had begun the call."""
        if self._gone.is_set():
            raise SessionEnded("the worker that held it has ended", begun=False)
        self._next += 1
        number, begun = self._next, [False]
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer, begun
        try:
            await _say(self._writer, {"id": number, **request})
            found = await answer
        except OSError:
            raise SessionEnded("the worker that held it has ended", begun=begun[0]) from None
        except asyncio.CancelledError:
            with contextlib.suppress(OSError):
                self._writer.write(_line({"id": number, "op": "cancel"}))
            raise
        finally:
            del self._waiting[number]
        if "ended" in found:
            raise SessionEnded(str(found["ended"]), begun=bool(found["begun"]))
        return found

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                found = codec.loads(line)
                answer, begun = self._waiting.get(found["id"], (None, [False]))
                if found.get("begun") is True and len(found) == 2:  # noqa: PLR2004 - its id, and that it has begun
                    begun[0] = True
                elif answer is not None and not answer.done():
                    answer.set_result(found)
        except (OSError, ValueError, BadInput, KeyError, TypeError):
            pass  # as when the holder ends
        finally:
            self._gone.set()
            for answer, begun in self._waiting.values():
                if not answer.done():
                    answer.set_result({"ended": "the worker that held it has ended", "begun": begun[0]})


def _forget(requests: dict[int, asyncio.Task[None]], number: int, _task: asyncio.Task[None]) -> None:
    requests.pop(number, None)


def _line(value: dict[str, Any]) -> bytes:
    return codec.dumps(value).encode() + b"\n"


async def _say(writer: asyncio.StreamWriter, value: dict[str, Any]) -> None:
    """Write a line; it is with the kernel when this returns. Raises OSError."""
    writer.write(_line(value))
    await writer.drain()
