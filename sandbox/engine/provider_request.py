"""One provider request, from the moment it is parsed to its answer: faults, waits and the journal, the same for all providers.

A request is performed and enters the journal in one step without an await, so that the journal's order is the order in which things
happened. The latency and the answer come after it, or whatever a fault puts in the answer's place.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from sandbox.engine.faults import MESSAGE_OPERATIONS, draw_latency
from sandbox.engine.json_types import JsonObject

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.engine.faults import InjectedFault, ProviderFaults
    from sandbox.engine.journal import JournalEntry
    from sandbox.engine.state import SandboxState

OK: Final = 200
BAD_REQUEST: Final = 400
HANG_POLL_SECONDS: Final = 0.25
HOLD_POLL_SECONDS: Final = 0.05
TRICKLE_SECONDS: Final = 1.0
"""The wait between two bytes."""
TRICKLE_LENGTH: Final = 1_000_000
"""The Content-Length that a trickled answer announces, in bytes: more than anybody waits for."""
RST_ON_CLOSE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER with a time of 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderResponse:
    """The answer that a provider gives if no fault is injected."""

    status: int
    body: Any = None
    """Text, bytes, or anything that JSON can hold; None is an empty body."""
    headers: Mapping[str, str] = field(default_factory=dict)
    sid: str | None = None
    """The provider's id of the message, for the journal."""
    accepted: bool | None = None
    """Whether the user gets a message."""
    shown: JsonObject | None = None
    """What the journal shows of the answer."""
    events: list[bytes] | None = None
    """The server-sent events of a stream, in place of the body."""
    stream_seconds: float = 0.0
    """The time over which the events are spread."""

    @property
    def payload(self) -> bytes:
        """The body as bytes."""
        if self.events is not None:
            return b"".join(self.events)
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorFormat:
    """How a provider formats its errors."""

    response: Callable[[int, InjectedFault | None], ProviderResponse]
    """The answer of a status."""
    stream_error: bytes = b""
    """The error event of a stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRequest:
    """A parsed request."""

    kind: str
    """The journal's kind."""
    operation: str
    """What `on` of a fault names."""
    fields: JsonObject
    """What the journal shows of it; `match` of a fault searches it."""
    perform: Callable[[], ProviderResponse]
    """Does what is asked, and gives the answer."""
    is_message: bool = True
    """Whether the journal says if it was accepted."""


async def read_json(http: web.Request) -> JsonObject | None:
    """Return the JSON object in a request's body; None for anything else."""
    try:
        found = json.loads(await http.read())
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


async def reject(http: web.Request, state: SandboxState, request: ProviderRequest, response: ProviderResponse) -> web.StreamResponse:
    """Answer a request that is rejected before it is performed, and before any fault: wrong credentials, a wrong content type."""
    entry = state.journal.add(request.kind, request.fields, accepted=False if request.is_message else None)
    return await _answer(http, state, entry, response)


async def handle(
    http: web.Request, state: SandboxState, request: ProviderRequest, *, faults: ProviderFaults, errors: ErrorFormat
) -> web.StreamResponse:
    """Choose the request's fault, perform it, record it, and answer."""
    if faults.delay_before_seconds:
        await asyncio.sleep(draw_latency(faults.delay_before_seconds))
    # From here to the journal's entry there is no await: the journal's order is the order in which requests were performed.
    fault = faults.pop_matching(request.operation, request.fields)
    performed = fault is None or fault.accept
    response = request.perform() if performed else ProviderResponse(status=0, accepted=False)
    accepted = response.accepted if request.is_message else None
    entry = state.journal.add(request.kind, request.fields, accepted=accepted, sid=response.sid, answer=response.shown)
    # A request that is performed and rejected gets its rejection: the fault would hide why nothing was sent.
    if fault is not None and fault.accept and response.status >= BAD_REQUEST:
        fault = None
    entry.fault = None if fault is None else fault.fault
    if faults.latency_seconds:
        await asyncio.sleep(draw_latency(faults.latency_seconds))
    await _wait_while_held(http, state, request)
    if fault is None:
        return await _answer(http, state, entry, response)
    return await _answer_with_fault(http, state, entry, response, fault=fault, errors=errors)


async def _wait_while_held(http: web.Request, state: SandboxState, request: ProviderRequest) -> None:
    """Wait while `hold` is on. The settings are read anew each time: a change replaces them."""
    if request.operation not in MESSAGE_OPERATIONS:
        return
    while state.faults.section_of(request.kind).hold and not _is_over(http, state):  # noqa: ASYNC110 - a client that goes away sets no event
        await asyncio.sleep(HOLD_POLL_SECONDS)


async def _answer_with_fault(
    http: web.Request, state: SandboxState, entry: JournalEntry, response: ProviderResponse, *, fault: InjectedFault, errors: ErrorFormat
) -> web.StreamResponse:
    """Give the fault in place of `response`. An answer that never goes out whole leaves the entry without a status."""
    if fault.status is not None:
        return await _answer(http, state, entry, _with_body_of(fault, errors.response(fault.status, fault)))
    if fault.fault in {"hang", "trickle"}:
        return await _stall(http, state, response if fault.fault == "trickle" else None)
    if fault.fault == "broken_json":
        broken = response.payload[: len(response.payload) // 2] or b'{"broken": '
        state.journal.complete(entry, response.status)
        return web.Response(status=response.status, body=broken, content_type="application/json")
    if fault.fault == "stream_error" and response.events is not None:
        cut = [*response.events[: len(response.events) // 2], errors.stream_error]
        return await _answer(http, state, entry, ProviderResponse(status=OK, headers=response.headers, events=cut))
    if fault.fault in {"reset_midway", "stream_error"}:
        return await _reset_midway(http, response)
    return _reset(http)


def _with_body_of(fault: InjectedFault, response: ProviderResponse) -> ProviderResponse:
    """Put the fault's own body, if it has one, into an error."""
    body = response.body if fault.body is None else fault.body
    return ProviderResponse(status=response.status, body=body, headers=response.headers)


async def _answer(http: web.Request, state: SandboxState, entry: JournalEntry, response: ProviderResponse) -> web.StreamResponse:
    """Send the answer, and record its status."""
    state.journal.complete(entry, response.status)
    if response.events is not None:
        return await _stream(http, response)
    if isinstance(response.body, str):
        return web.Response(status=response.status, text=response.body, headers=response.headers)
    if response.body is None or isinstance(response.body, bytes):
        return web.Response(status=response.status, body=response.body, headers=response.headers)
    return web.Response(
        status=response.status, body=response.payload, headers=response.headers, content_type="application/json", charset="utf-8"
    )


async def _stream(http: web.Request, response: ProviderResponse) -> web.StreamResponse:
    """Send server-sent events, spread over the stream's time."""
    events = response.events or []
    stream = web.StreamResponse(status=response.status, headers=response.headers)
    stream.content_type, stream.charset = "text/event-stream", "utf-8"
    stream.headers["Cache-Control"] = "no-cache"
    with suppress(ConnectionError):  # the client may be gone
        await stream.prepare(http)
        if not response.stream_seconds:
            await stream.write(b"".join(events))
            return stream
        for event in events:
            await stream.write(event)
            await asyncio.sleep(response.stream_seconds / len(events))
    return stream


async def _reset_midway(http: web.Request, response: ProviderResponse) -> web.StreamResponse:
    """Announce the whole answer, send half of it, and reset the connection."""
    whole = response.payload or b"{}"
    stream = web.StreamResponse(status=response.status, headers=response.headers)
    stream.content_type = "application/json" if response.events is None else "text/event-stream"
    if response.events is None:
        stream.content_length = len(whole)
    with suppress(ConnectionError):  # the client may be gone
        await stream.prepare(http)
        await stream.write(whole[: len(whole) // 2])
        await asyncio.sleep(0.02)  # a reset discards what has not been sent yet
    return _reset(http, stream)


async def _stall(http: web.Request, state: SandboxState, trickled: ProviderResponse | None) -> web.StreamResponse:
    """Stay silent, or send one byte a second, until the client gives up, the faults are reset, or the sandbox ends."""
    released = state.released  # the event of now: a release sets it and puts a new one in its place
    stream = None
    if trickled is not None:
        stream = web.StreamResponse(status=trickled.status, headers=trickled.headers)
        stream.content_type, stream.content_length = "application/json", TRICKLE_LENGTH
        await stream.prepare(http)
    while not (released.is_set() or _is_over(http, state)):
        if stream is not None:
            await stream.write(b" ")
        with suppress(TimeoutError):
            await asyncio.wait_for(released.wait(), HANG_POLL_SECONDS if stream is None else TRICKLE_SECONDS)
    return _reset(http, stream)


def _is_over(http: web.Request, state: SandboxState) -> bool:
    """Whether the sandbox ends, or the client is gone."""
    return state.closing.is_set() or http.transport is None or http.transport.is_closing()


def _reset(http: web.Request, response: web.StreamResponse | None = None) -> web.StreamResponse:
    """Reset the connection: the client sees RST in place of an orderly end."""
    transport = http.transport
    if transport is not None:
        client = transport.get_extra_info("socket")
        if client is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST_ON_CLOSE)
        transport.abort()
    return response if response is not None else web.Response()
