"""A server that is a program: what it says line by line, within bounds, and its end with all of its group.

The SDK has a transport of its own for this. It holds a line however long it is, logs each line that is not JSON, and leaves the program
running when this process is killed. Here a line has at most MAX_LINE bytes, other lines are skipped, and a guard (a shell that waits for
the end of a pipe of ours) kills the program's group when this process ends in any way.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import ErrorData, JSONRPCError, jsonrpc_message_adapter

from shared.config.mcp_servers import McpServer

MAX_LINE: Final = 4_000_000
"""Bytes; a longer one is an error of the call that it answers."""
TOO_LARGE: Final = -32_050
"""The code of that error, which is of ours."""
CLOSE_SECONDS: Final = 1.0
"""How long a program has to end by itself when its input is closed."""
REAP_SECONDS: Final = 5.0
INHERITED: Final = ("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER")
_PIECE: Final = 65_536
_HEAD: Final = 200
_ID: Final = re.compile(rb'\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*(\d{1,18})\s*,')
_GUARD: Final = 'read -r _; kill -s KILL -- "-$0"'

Streams = tuple[MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]]


@asynccontextmanager
async def program(server: McpServer, ended: asyncio.Event) -> AsyncIterator[Streams]:
    """Start a server's program; the streams of its messages. `ended` is set when it closes its output. Raises OSError, ValueError.

    Leaving the block ends the program and everything in its process group.
    """
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        server.command,
        *server.args,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**inherited, **server.env},
        cwd=server.cwd or None,
        start_new_session=True,
        limit=_PIECE,
    )
    guard: asyncio.subprocess.Process | None = None
    reading, writing = os.pipe()
    incoming, received = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    sent, outgoing = anyio.create_memory_object_stream[SessionMessage](0)
    pumps: list[asyncio.Task[None]] = []
    try:
        guard = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-c", _GUARD, str(process.pid)), stdin=reading, stdout=asyncio.subprocess.DEVNULL, env={}, start_new_session=True
        )
        pumps = [asyncio.create_task(_read(process, incoming, ended)), asyncio.create_task(_write(process, outgoing))]
        yield received, sent
        for stream in (received, sent):
            await stream.aclose()
        await _let_end(process)
    finally:
        # Nothing is awaited before the group is killed: a cancellation that comes a second time must not leave it running.
        _kill_group(process.pid)
        _kill(guard)
        for pump in pumps:
            pump.cancel()
        os.close(reading)
        os.close(writing)
        for each in (incoming, received, sent, outgoing):
            each.close()
        processes = [started for started in (process, guard) if started is not None]
        try:
            await _reap(processes, pumps)
        finally:
            for started in processes:
                _let_go(started)


async def _let_end(process: asyncio.subprocess.Process) -> None:
    """Close the program's input, by which it is told to end, and wait a moment."""
    if process.stdin:
        process.stdin.close()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await process.wait()


async def _reap(processes: list[asyncio.subprocess.Process], pumps: list[asyncio.Task[None]]) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(REAP_SECONDS):
            for process in processes:
                await process.wait()
            await asyncio.gather(*pumps, return_exceptions=True)


def _let_go(process: asyncio.subprocess.Process) -> None:
    """Close its pipes also where its end could not be waited for: the garbage collector would, perhaps behind the end of the loop."""
    if (transport := getattr(process, "_transport", None)) is not None:  # asyncio has no other name for it
        transport.close()


def _kill_group(number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(number, signal.SIGKILL)


def _kill(process: asyncio.subprocess.Process | None) -> None:
    if process is not None and process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()


async def _read(
    process: asyncio.subprocess.Process, incoming: MemoryObjectSendStream[SessionMessage | Exception], ended: asyncio.Event
) -> None:
    """Hand on each message that the program says."""
    assert process.stdout is not None  # noqa: S101 - for the type checker: it is a pipe
    line, size = bytearray(), 0
    try:
        while piece := await process.stdout.read(_PIECE):
            *whole, rest = piece.split(b"\n")
            for each in whole:
                size += len(each)
                line += each[: max(0, MAX_LINE + 1 - len(line))]
                if message := _message(bytes(line), whole=size <= MAX_LINE):
                    await incoming.send(message)
                line, size = bytearray(), 0
            size += len(rest)
            line += rest[: max(0, MAX_LINE + 1 - len(line))]
    except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
        pass
    finally:
        ended.set()
        incoming.close()


def _message(line: bytes, *, whole: bool) -> SessionMessage | None:
    """The message of a line; None for what is none: servers print to their output what is meant for a log."""
    if not whole:
        found = _ID.match(line[:_HEAD])
        error = ErrorData(code=TOO_LARGE, message="too large")
        return SessionMessage(JSONRPCError(jsonrpc="2.0", id=int(found[1]), error=error)) if found else None
    if not line.lstrip().startswith(b"{"):
        return None
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError:
        return None


async def _write(process: asyncio.subprocess.Process, outgoing: MemoryObjectReceiveStream[SessionMessage]) -> None:
    """Write each message as one line, until the program reads no more."""
    assert process.stdin is not None  # noqa: S101 - as above
    try:
        async for each in outgoing:
            process.stdin.write(each.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
            await process.stdin.drain()
    except (anyio.ClosedResourceError, OSError):
        pass
