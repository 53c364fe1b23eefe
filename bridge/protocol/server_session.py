"""The server's side of one connection, without I/O: which frames are accepted, and which answers are sent when.

The decisions are made here; the server around it moves frames and stores messages. The time and the nonces are arguments, so that the
rules can be tested over any sequence of frames:

- nothing but `auth` and `ping` before authentication;
- a request with an id is acknowledged when it is stored, and gets one final answer, whenever that comes;
- a request without an id gets exactly one answer, and those answers keep the order of the requests: a client of the first
  dialect takes any answer of the right type for its oldest request's;
- requests over the rate limit are rejected, and after MAX_REJECTED_IN_A_ROW the connection is closed.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from bridge.protocol import frames
from bridge.protocol.codes import PROTOCOL, ClientFrame, Close, ErrorCode
from bridge.protocol.frames import PONG, Auth, Malformed, MessageContent, MessageType, Subscribe
from shared.model.events import Response
from shared.rate_limit import TokenBucket

MAX_REJECTED_IN_A_ROW: Final = 100
"""Requests over the rate limit, one after the other, after which the next closes the connection."""
MAX_PENDING: Final = 1000
"""Requests of one connection that may wait for their answers at once."""

PING: Final = ClientFrame.PING.value  # an enum's member takes longer to look up than a ping to answer


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """The limits of every connection, and the server's name, as `auth_result` announces them."""

    requests_per_second: float = 10.0
    burst: int = 20
    max_frame: int = 65_536
    answer_seconds: float = 8.0
    max_pending: int = MAX_PENDING
    server: str = "bossline"


@dataclass(frozen=True, slots=True)
class CloseConnection:
    """The decision to close the connection."""

    code: Close
    reason: str


@dataclass(frozen=True, slots=True)
class MessageOutcome:
    """How a message ended: with its reply, or with the code that says why there is none."""

    reply: Response | None = None
    code: str = ""


class MessageRequest:
    """One `sms_received` or `email_received`, from its frame to its answer.

    `content` is dropped when the message is stored, `at` in epoch seconds. `outcome` is one that came before the message was stored.
    `answer` is None until the final one: with an id it is sent at once and not kept, so it is ""; without an id it is kept until the
    answers before it are sent. `before` is an earlier request under the same id that this one repeats.
    """

    __slots__ = ("answer", "at", "before", "content", "id", "message_id", "outcome", "stored", "type", "user")

    def __init__(self, kind: MessageType, request_id: str, user: str, content: MessageContent | None) -> None:
        self.type = kind
        self.id = request_id
        self.user = user
        self.content = content
        self.message_id = ""
        self.stored = False
        self.at = 0.0
        self.answer: str | None = None
        self.outcome: MessageOutcome | None = None
        self.before: MessageRequest | None = None


Decision = str | Auth | Subscribe | MessageRequest | CloseConnection | None
"""What to do about a frame: send this text, check this token, subscribe, store this message, close; None: nothing now."""


class ServerSession:
    """One connection's state. The methods return the frames to send now, in order."""

    __slots__ = ("_limits", "_nonce", "_open", "_queue", "_rate", "_rejected_in_a_row", "authenticated", "client", "closed")

    def __init__(self, limits: SessionLimits, now: float, nonce: Callable[[], str]) -> None:
        """`now` is of a clock in seconds that never goes back; `nonce` gives 24 hexadecimal digits that cannot be guessed."""
        self._limits = limits
        self._nonce = nonce
        self._rate = TokenBucket(limits.requests_per_second, limits.burst, now)
        self._rejected_in_a_row = 0
        self._open: dict[str, MessageRequest] = {}
        self._queue: deque[MessageRequest] | None = None  # made when needed: an empty deque takes 600 bytes
        self.authenticated = False
        self.client = ""
        self.closed = False

    def receive(self, text: str | bytes, now: float) -> Decision:
        """Decide about one frame."""
        if self.closed:
            return None
        try:
            frame: Any = json.loads(text) if type(text) is str else None
        except (ValueError, RecursionError):
            frame = None
        if type(frame) is dict:
            kind = frame.get("type")
            if kind == PING and frame.get("id") is None:
                return PONG
            return self._read_frame(frame, kind, now)
        return self._reject_counted(ErrorCode.BAD_JSON if isinstance(text, str) else ErrorCode.NOT_TEXT, "", now)

    def accept(self, auth: Auth) -> str:
        """The token is right: the `auth_result`."""
        self.authenticated = True
        self.client = auth.client
        if auth.protocol is None:
            return frames.auth_result(success=True, message="Authenticated", request_id=auth.id)
        limits = self._limits
        announced = {
            "max_frame": limits.max_frame,
            "requests_per_second": limits.requests_per_second,
            "burst": limits.burst,
            "max_pending": limits.max_pending,
            "answer_seconds": limits.answer_seconds,
        }
        agreed = min(auth.protocol, PROTOCOL)
        return frames.auth_result(
            success=True, message="Authenticated", request_id=auth.id, protocol=agreed, server=limits.server, limits=announced
        )

    def reject(self, auth: Auth) -> str:
        """The token is wrong: the `auth_result`, after which the connection is to be closed."""
        self.closed = True
        return frames.auth_result(success=False, message="Authentication failed", request_id=auth.id)

    def stored(self, request: MessageRequest, at: float) -> tuple[str, ...]:
        """The message is in the mailbox; `at` is in epoch seconds. An outcome that came before this follows at once."""
        request.stored, request.at = True, at
        request.content = request.before = None
        first = (frames.acknowledged(request.type, request.user, request.id, at),) if request.id else ()
        return first + (self.ended(request, request.outcome) if request.outcome else ())

    def ended(self, request: MessageRequest, outcome: MessageOutcome) -> tuple[str, ...]:
        """The message has ended. Before `stored` the outcome is kept back, so that the acknowledgement comes first."""
        if not request.stored:
            request.outcome = outcome
            return ()
        if outcome.reply is not None:
            return self._answer(request, frames.reply(outcome.reply, request.user, request.id))
        if outcome.code == ErrorCode.NOTHING_TO_SAY and not request.id:
            # Not an error: an old client takes an acknowledgement as "accepted, no reply", and goes on by itself.
            return self.overdue(request, request.at)
        return self._answer(request, frames.error(outcome.code, request.id))

    def failed(self, request: MessageRequest, code: str) -> tuple[str, ...]:
        """The message was not accepted. An earlier request under the same id goes on waiting for its answer."""
        answers = self._answer(request, frames.error(code, request.id))
        before = request.before
        while before is not None and before.answer is not None:
            before = before.before
        if before is None:
            return answers
        self._open.setdefault(request.message_id, before)
        return answers + (self.ended(before, request.outcome) if request.outcome else ())

    def overdue(self, request: MessageRequest, at: float) -> tuple[str, ...]:
        """The time of a request without an id is up: its acknowledgement if it is stored, else an error."""
        if request.stored:
            return self._answer(request, frames.acknowledged(request.type, request.user, "", at))
        return self._answer(request, frames.error(ErrorCode.STORAGE_UNAVAILABLE))

    def request_of(self, message: str) -> MessageRequest | None:
        """The request that waits for this message's outcome."""
        return self._open.get(message)

    def messages(self) -> tuple[str, ...]:
        """The messages whose outcome is waited for."""
        return tuple(self._open)

    def _read_frame(self, frame: dict[str, Any], kind: object, now: float) -> Decision:
        try:
            request_id = frames.id_of(frame)
        except Malformed as error:
            return self._reject_counted(ErrorCode.BAD_FIELD, error.sentence, now)
        if kind == PING:
            return frames.pong(request_id)
        if not self._within_rate(now):
            return self._over_rate(request_id)
        if not self.authenticated and kind != ClientFrame.AUTH:
            return self._reject(ErrorCode.NOT_AUTHENTICATED, request_id)
        try:
            return self._read_request(frame, kind, request_id)
        except Malformed as error:
            return self._reject(ErrorCode.BAD_FIELD, request_id, error.sentence)

    def _read_request(self, frame: dict[str, Any], kind: object, request_id: str) -> Decision:
        if kind == ClientFrame.AUTH:
            return frames.auth_of(frame)
        if kind == ClientFrame.SUBSCRIBE:
            return frames.subscribe_of(frame)
        if kind not in (ClientFrame.SMS, ClientFrame.EMAIL):
            return self._reject(ErrorCode.UNKNOWN_TYPE, request_id)
        message_type: MessageType = ClientFrame.SMS if kind == ClientFrame.SMS else ClientFrame.EMAIL
        request = MessageRequest(message_type, request_id, frames.user_of(frame), frames.content_of(frame, message_type))
        request.message_id = frames.message_id(self.client, request_id, "" if request_id else self._nonce())
        return self._open_request(request)

    def _open_request(self, request: MessageRequest) -> Decision:
        """Open a request. One that repeats an id takes the earlier one's place: one final answer is for both."""
        request.before = self._open.get(request.message_id)
        if request.before is None and len(self._open) >= self._limits.max_pending:
            return self._reject(ErrorCode.TOO_MANY_PENDING, request.id)
        self._open[request.message_id] = request
        if not request.id:
            self._append(request)
        return request

    def _answer(self, request: MessageRequest, text: str) -> tuple[str, ...]:
        """Answer a request, once: with an id at once, without one after those before it."""
        if request.answer is not None:
            return ()
        request.answer = "" if request.id else text
        if self._open.get(request.message_id) is request:
            del self._open[request.message_id]
        return (text,) if request.id else self._answers_due()

    def _answers_due(self) -> tuple[str, ...]:
        """The answers that no unanswered request is before any more."""
        due: list[str] = []
        while self._queue and self._queue[0].answer is not None:
            due.append(self._queue.popleft().answer or "")
        return tuple(due)

    def _append(self, request: MessageRequest) -> None:
        if self._queue is None:
            self._queue = deque()
        self._queue.append(request)

    def _reject(self, code: str, request_id: str, sentence: str = "") -> str | None:
        """An error for one frame; without an id it is sent after the answers before it."""
        text = frames.error(code, request_id, sentence)
        if request_id or not self._queue:
            return text
        settled = MessageRequest(ClientFrame.SMS, "", "", None)
        settled.answer = text
        self._queue.append(settled)
        return None

    def _reject_counted(self, code: str, sentence: str, now: float) -> Decision:
        """The same for a frame without a readable id; it counts against the rate limit."""
        return self._reject(code, "", sentence) if self._within_rate(now) else self._over_rate("")

    def _within_rate(self, now: float) -> bool:
        if not self._rate.take(now):
            return False
        self._rejected_in_a_row = 0
        return True

    def _over_rate(self, request_id: str) -> Decision:
        self._rejected_in_a_row += 1
        if self._rejected_in_a_row <= MAX_REJECTED_IN_A_ROW:
            return self._reject(ErrorCode.TOO_MANY_REQUESTS, request_id)
        self.closed = True
        return CloseConnection(Close.OVERLOADED, "too many requests")
