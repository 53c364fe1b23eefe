"""The requests that wait for an answer, and what each frame means for them. No socket, no clock.

    open() -> Request            it is sent, and sent again after a reconnect, until it is forgotten or ended
    receive(frame) -> Verdict    acknowledged, answered, failed, or to be repeated later; None: nobody's business
    forget(request)              its caller has gone; what comes later for it is nobody's business

A frame is a request's only if it names its id: an answer that comes late, twice or out of order cannot reach another.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from bridge.client.errors import BridgeError, RequestTooBig, TooManyWaiting
from bridge.protocol.codes import ClientFrame, ServerFrame
from shared.backoff import Backoff
from shared.errors import BadInput
from shared.model import codec

Frame = dict[str, Any]
MAX_WAITING: Final = 1000
DEFAULT_MAX_FRAME: Final = 65_536
"""What every bridge takes; before one has said its own limit, this is the limit."""
FIRST_REPEAT: Final = 0.5
LONGEST_REPEAT: Final = 8.0
SPREAD: Final = (0.5, 1.0)
ANSWERS: Final = {ClientFrame.SMS: ServerFrame.SMS_RESPONSE, ClientFrame.EMAIL: ServerFrame.EMAIL_RESPONSE}


@dataclass(slots=True, eq=False)
class PendingRequest:
    """One request; `text` is its whole frame, the same at every repetition."""

    id: str
    kind: ClientFrame
    text: str = field(repr=False)
    backoff: Backoff = field(repr=False)
    acknowledged: Frame | None = field(default=None, repr=False)
    refusal: BridgeError | None = None
    """The last `error` that a repetition may mend."""
    sendings: int = 0
    """So that a repetition that was planned is left out when a reconnect has repeated the request already."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The bridge has it; said once a request."""

    request: PendingRequest
    frame: Frame


@dataclass(frozen=True, slots=True)
class Answered:
    """The final answer."""

    request: PendingRequest
    frame: Frame


@dataclass(frozen=True, slots=True)
class Failed:
    """The final error."""

    request: PendingRequest
    error: BridgeError


@dataclass(frozen=True, slots=True)
class Repeat:
    """Not now: the same request is due again after so many seconds."""

    request: PendingRequest
    after: float


RequestUpdate = Acknowledged | Answered | Failed | Repeat


class PendingRequests:
    """All requests of one client, over all of its connections."""

    def __init__(self, uniform: Callable[[float, float], float] = random.uniform) -> None:
        """`uniform` gives a number between two; it is for tests."""
        self.max_frame = DEFAULT_MAX_FRAME
        self._uniform = uniform
        self._waiting: dict[str, PendingRequest] = {}

    @property
    def waiting(self) -> tuple[PendingRequest, ...]:
        """In the order in which they were made."""
        return tuple(self._waiting.values())

    def open(self, kind: ClientFrame, fields: Mapping[str, object], request_id: str | None = None) -> PendingRequest:
        """Begin a request. Raises RequestTooBig, TooManyWaiting, or BridgeError `id_in_use`."""
        own = request_id or str(uuid.uuid4())
        text = codec.dumps({"type": kind, "id": own, **fields})
        if own in self._waiting:
            raise BridgeError("another request with this id waits for its answer", code="id_in_use")
        if len(self._waiting) >= MAX_WAITING:
            raise TooManyWaiting(f"{MAX_WAITING} requests")
        if len(text) > self.max_frame:
            raise self._too_big(text)
        request = self._waiting[own] = PendingRequest(own, kind, text, Backoff(FIRST_REPEAT, LONGEST_REPEAT, SPREAD, self._uniform))
        return request

    def forget(self, request: PendingRequest) -> None:
        """Whatever comes for it from now on is ignored."""
        if self._waiting.get(request.id) is request:
            del self._waiting[request.id]

    def is_pending(self, request: PendingRequest) -> bool:
        """Whether it still has to be answered."""
        return self._waiting.get(request.id) is request

    def limit(self, max_frame: object) -> list[Failed]:
        """Take the bridge's own limit; requests over it fail, for they would cost the connection each time."""
        if isinstance(max_frame, int) and not isinstance(max_frame, bool) and max_frame > 0:
            self.max_frame = max_frame
        return [self._fail(each, self._too_big(each.text)) for each in self.waiting if len(each.text) > self.max_frame]

    def closed_as_too_big(self) -> Failed | None:
        """The bridge closed with 1009 and did not say for which: the largest has to go, or it would be so for ever."""
        largest = max(self.waiting, key=lambda request: len(request.text), default=None)
        return self._fail(largest, self._too_big(largest.text)) if largest else None

    def receive(self, frame: Frame) -> RequestUpdate | None:
        """What a frame means; unknown types, unknown ids and second answers mean nothing."""
        own = frame.get("in_reply_to")
        request = self._waiting.get(own) if isinstance(own, str) else None
        if request is None:
            return None
        kind = frame.get("type")
        if kind == ServerFrame.ERROR:
            return self._refused(request, frame)
        if kind == ANSWERS[request.kind]:
            self.forget(request)
            return Answered(request, frame)
        if kind == ServerFrame.ACKNOWLEDGED and request.acknowledged is None:
            request.acknowledged = frame
            return Acknowledged(request, frame)
        return None

    def _refused(self, request: PendingRequest, frame: Frame) -> RequestUpdate:
        error = error_of(frame)
        if not error.retryable:
            return self._fail(request, error)
        request.refusal = error
        return Repeat(request, request.backoff.next())

    def _fail(self, request: PendingRequest, error: BridgeError) -> Failed:
        self.forget(request)
        return Failed(request, error)

    def _too_big(self, text: str) -> RequestTooBig:
        return RequestTooBig(f"{len(text)} bytes, the bridge takes {self.max_frame}")


def error_of(frame: Frame) -> BridgeError:
    """An `error` frame as an error; the bridge's sentence is left out, for only the code is ours to rely on."""
    code = frame.get("code")
    return BridgeError(code=code if isinstance(code, str) and code else None, retryable=frame.get("retryable") is True)


def read(message: str | bytes) -> Frame:
    """One WebSocket message as a frame; {} for what is none, so that a newer bridge's ways do not end an older client."""
    try:
        value = codec.loads(message) if isinstance(message, str) else None
    except BadInput:
        return {}
    return value if isinstance(value, dict) else {}
