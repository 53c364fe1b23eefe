"""One provider request from the moment it is understood to its answer: faults, waits and the journal, the same for all three.

The request acts and enters the journal in one step without an await, so that the journal's order is the order in which things
happened; only then come latency and the answer, or whatever a fault puts in its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from sandbox.engine.faults import ACTING, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.engine.faults import Fault, ProviderKnobs
    from sandbox.engine.journal import Entry
    from sandbox.engine.state import Sandbox

OK: Final = 200
BAD_REQUEST: Final = 400
HANG_CHECK: Final = 0.25
HELD_CHECK: Final = 0.05
TRICKLE_SECONDS: Final = 1.0
TRICKLED: Final = 1_000_000
RST_ON_CLOSE: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a provider would answer if nothing went wrong."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    sid: str | None = None
    accepted: bool | None = None
    events: list[bytes] | None = None
    spread: float = 0.0

    @property
    def payload(self) -> bytes:
        """The body as bytes."""
        if self.events is not None:
            return b"".join(self.events)
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a provider words its errors, and the error event of a stream."""

    refuse: Callable[[int, Fault | None], Answer]
    stream_error: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that was understood: what it asks, and what it does when it acts."""

    kind: str
    operation: str
    request: dict[str, Any]
    act: Callable[[], Answer]
    message: bool = True


async def document(http: web.Request) -> dict[str, Any] | None:
    """Return the JSON object that a request carries; None for anything else."""
    try:
        found = json.loads(await http.read())
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


async def refuse(http: web.Request, state: Sandbox, call: Call, answer: Answer) -> web.StreamResponse:
    """Answer a request that never gets as far as acting (credentials, unreadable body)."""
    entry = state.journal.add(call.kind, call.request, accepted=False if call.message else None)
    return await _say(http, state, entry, answer)


async def run(http: web.Request, state: Sandbox, call: Call, *, knobs: ProviderKnobs, dialect: Dialect) -> web.StreamResponse:
    """Take a call through its fault, its act and its answer."""
    if knobs.delay_before_seconds:
        await asyncio.sleep(seconds(knobs.delay_before_seconds))
    fault = knobs.take(call.operation, call.request)
    acts = fault is None or fault.accept
    answer = call.act() if acts else Answer(status=0, accepted=False)
    accepted = answer.accepted if call.message else None
    entry = state.journal.add(call.kind, call.request, accepted=accepted, sid=answer.sid)
    healthy = fault is None or (fault.accept and answer.status >= BAD_REQUEST)
    entry.fault = None if fault is None or healthy else fault.fault
    if knobs.latency_seconds:
        await asyncio.sleep(seconds(knobs.latency_seconds))
    while call.operation in ACTING and state.knobs.of(call.kind).hold and not _over(http, state):  # noqa: ASYNC110 - a client that goes away sets no event
        await asyncio.sleep(HELD_CHECK)
    if fault is None or healthy:
        return await _say(http, state, entry, answer)
    return await _misbehave(http, state, entry, _Trouble(fault=fault, answer=answer, dialect=dialect))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trouble:
    """What should have been said, and what goes wrong instead."""

    fault: Fault
    answer: Answer
    dialect: Dialect


async def _misbehave(http: web.Request, state: Sandbox, entry: Entry, trouble: _Trouble) -> web.StreamResponse:
    fault, answer = trouble.fault, trouble.answer
    if fault.status is not None:
        return await _say(http, state, entry, _refusal(trouble.dialect.refuse(fault.status, fault), fault))
    if fault.fault in {"hang", "trickle"}:
        return await _stall(http, state, answer if fault.fault == "trickle" else None)
    if fault.fault == "broken_json":
        broken = answer.payload[: len(answer.payload) // 2] or b'{"broken": '
        state.journal.settle(entry, answer.status)
        return web.Response(status=answer.status, body=broken, content_type="application/json")
    if fault.fault == "stream_error" and answer.events is not None:
        cut = [*answer.events[: len(answer.events) // 2], trouble.dialect.stream_error]
        return await _say(http, state, entry, Answer(status=OK, headers=answer.headers, events=cut))
    if fault.fault in {"reset_midway", "stream_error"}:
        return await _break_off(http, answer)
    return _reset(http)


def _refusal(worded: Answer, fault: Fault) -> Answer:
    """Add what the fault itself says about its answer."""
    body = worded.body if fault.body is None else fault.body
    return Answer(status=worded.status, body=body, headers=worded.headers)


async def _say(http: web.Request, state: Sandbox, entry: Entry, answer: Answer) -> web.StreamResponse:
    """Give the answer, and note that it was given."""
    state.journal.settle(entry, answer.status)
    if answer.events is not None:
        return await _stream(http, answer)
    if isinstance(answer.body, str):
        return web.Response(status=answer.status, text=answer.body, headers=answer.headers)
    if answer.body is None or isinstance(answer.body, bytes):
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
    return web.Response(status=answer.status, body=answer.payload, headers=answer.headers, content_type="application/json", charset="utf-8")


async def _stream(http: web.Request, answer: Answer) -> web.StreamResponse:
    """Send server-sent events, spread over the time asked for."""
    events = answer.events or []
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_type, response.charset = "text/event-stream", "utf-8"
    response.headers["Cache-Control"] = "no-cache"
    with suppress(ConnectionError):  # whoever asked may be gone
        await response.prepare(http)
        if not answer.spread:
            await response.write(b"".join(events))
            return response
        for event in events:
            await response.write(event)
            await asyncio.sleep(answer.spread / len(events))
    return response


async def _break_off(http: web.Request, answer: Answer) -> web.StreamResponse:
    """Announce the whole answer, send half of it, and cut the connection."""
    whole = answer.payload or b"{}"
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_type = "application/json" if answer.events is None else "text/event-stream"
    if answer.events is None:
        response.content_length = len(whole)
    with suppress(ConnectionError):  # whoever asked may be gone
        await response.prepare(http)
        await response.write(whole[: len(whole) // 2])
        await asyncio.sleep(0.02)
    return _reset(http, response)


async def _stall(http: web.Request, state: Sandbox, trickled: Answer | None) -> web.StreamResponse:
    """Stay silent, or give one byte of an answer a second, until the other side gives up, somebody resets the sandbox, or it ends."""
    response = None
    if trickled is not None:
        response = web.StreamResponse(status=trickled.status, headers=trickled.headers)
        response.content_type, response.content_length = "application/json", TRICKLED
        await response.prepare(http)
    while not _over(http, state):
        if response is not None:
            await response.write(b" ")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(state.release.wait(), HANG_CHECK if response is None else TRICKLE_SECONDS)
    return _reset(http, response)


def _over(http: web.Request, state: Sandbox) -> bool:
    return state.release.is_set() or state.closing.is_set() or http.transport is None or http.transport.is_closing()


def _reset(http: web.Request, response: web.StreamResponse | None = None) -> web.StreamResponse:
    """Reset the connection: RST, not an orderly end."""
    transport = http.transport
    if transport is not None:
        wire = transport.get_extra_info("socket")
        if wire is not None:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST_ON_CLOSE)
        transport.abort()
    return response if response is not None else web.Response()
