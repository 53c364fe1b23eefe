"""The requests that wait for an answer, and what each frame means for them. No socket, no clock.

               Acknowledged: the bridge has stored it (once)
               Repeat: a retryable error; it is sent again later
                  +--+
                  |  v
    open() --> PENDING --Answered or Failed: the final frame has come--> over
                  |
                  +------forget(): its caller has stopped waiting------> over

A PENDING request is also sent again, under its id, after every reconnect: to the bridge it is the same message. A frame belongs to a
request only if it names its id, so an answer that comes late, twice or out of order cannot reach another request.
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
MAX_PENDING_REQUESTS: Final = 1000
DEFAULT_MAX_FRAME: Final = 65_536
"""The default of every bridge; it holds until `auth_result` has announced another."""
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
    last_error: BridgeError | None = None
    """The last retryable `error`."""
    times_sent: int = 0
    """A scheduled repetition is dropped when a reconnect has sent the request since."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The bridge has stored it; at most once a request."""

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
    """A retryable error: the same request is due again after `after` seconds."""

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
        if len(self._waiting) >= MAX_PENDING_REQUESTS:
            raise TooManyWaiting(f"{MAX_PENDING_REQUESTS} requests")
        if len(text) > self.max_frame:
            raise self._too_big(text)
        request = self._waiting[own] = PendingRequest(own, kind, text, Backoff(FIRST_REPEAT, LONGEST_REPEAT, SPREAD, self._uniform))
        return request

    def forget(self, request: PendingRequest) -> None:
        """Stop waiting for it: frames that name it are ignored from now on."""
        if self._waiting.get(request.id) is request:
            del self._waiting[request.id]

    def is_pending(self, request: PendingRequest) -> bool:
        """Whether its answer is still waited for."""
        return self._waiting.get(request.id) is request

    def apply_limit(self, max_frame: object) -> list[Failed]:
        """Apply the bridge's own limit, whatever JSON value that is; requests over it fail, because the bridge closes for each of them."""
        if isinstance(max_frame, int) and not isinstance(max_frame, bool) and max_frame > 0:
            self.max_frame = max_frame
        return [self._fail(each, self._too_big(each.text)) for each in self.waiting if len(each.text) > self.max_frame]

    def fail_largest(self) -> Failed | None:
        """The bridge closed with 1009 and does not say for which request: the largest fails, or each reconnect would end the same way."""
        largest = max(self.waiting, key=lambda request: len(request.text), default=None)
        return self._fail(largest, self._too_big(largest.text)) if largest else None

    def receive(self, frame: Frame) -> RequestUpdate | None:
        """What a frame means for its request; None for unknown types, unknown ids and second answers."""
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
        request.last_error = error
        return Repeat(request, request.backoff.next())

    def _fail(self, request: PendingRequest, error: BridgeError) -> Failed:
        self.forget(request)
        return Failed(request, error)

    def _too_big(self, text: str) -> RequestTooBig:
        return RequestTooBig(f"{len(text)} bytes, the bridge takes {self.max_frame}")


def error_of(frame: Frame) -> BridgeError:
    """An `error` frame as an error. The bridge's sentence is left out: only the code is defined by the protocol."""
    code = frame.get("code")
    return BridgeError(code=code if isinstance(code, str) and code else None, retryable=frame.get("retryable") is True)


def parse(message: str | bytes) -> Frame:
    """One WebSocket message as a frame; {} for anything else, so that a newer bridge does not break an older client."""
    try:
        value = codec.loads(message) if isinstance(message, str) else None
    except BadInput:
        return {}
    return value if isinstance(value, dict) else {}
