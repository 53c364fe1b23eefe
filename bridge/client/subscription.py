"""One client's view of the ledger: what it has seen, where it goes on after a reconnect, and what waits to be read.

No socket and no clock. When its reader is slower than the ledger the subscription lets lines pass and asks for them
again from where it stopped: memory stays bounded, and nothing is missed.
"""

from __future__ import annotations

import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from bridge.client.errors import BridgeError
from bridge.client.requests import FIRST_REPEAT, LONGEST_REPEAT, Frame, error_of
from bridge.protocol.codes import ClientFrame, ErrorCode, ServerFrame
from shared.backoff import Backoff

CAPACITY: Final = 1000


@dataclass(frozen=True, slots=True)
class LedgerEvent:
    """One line of the ledger: `seq` is where to go on after it, `event` its ids and figures.

    With `resync` it is no line but a warning: lines may be missing between the one before and the one after it.
    """

    seq: str
    event: dict[str, Any] = field(default_factory=dict)
    resync: bool = False


class ClientSubscription:
    """From `since` (None: from now on), of one conversation or of all."""

    def __init__(self, since: str | None = None, conversation: str | None = None, capacity: int = CAPACITY) -> None:
        """Nothing is asked yet: see `ask`."""
        self.since = since
        self._conversation = conversation
        self._capacity = capacity
        self._id = ""
        self._items: deque[LedgerEvent] = deque()
        self._live = False
        self._begun = False
        self._backoff = Backoff(FIRST_REPEAT, LONGEST_REPEAT)
        self.asks = 0
        self.overrun = False
        self.failure: BridgeError | None = None

    def ask(self) -> Frame:
        """The `subscribe` frame for a new connection, or for the same one after an overrun."""
        if self._begun and self.since is None:
            self._warn()  # nothing says where to go on
        self._live = self.overrun = False
        self.asks += 1
        self._id = str(uuid.uuid4())  # echoed by a bridge that names what an `error` is about
        wanted = {"conversation": self._conversation, "since": self.since}
        return {"type": ClientFrame.SUBSCRIBE, "id": self._id, **{name: value for name, value in wanted.items() if value is not None}}

    def take(self, frame: Frame) -> float | None:
        """Look at a frame that answers no request; seconds after which to `ask` again when it was a refusal that passes."""
        kind = frame.get("type")
        if kind == ServerFrame.EVENT:
            self._line(frame)
        elif kind == ServerFrame.SUBSCRIBED:
            self._live, self._begun = True, True
            self._backoff.reset()
            if self.since is None:
                self.since = _text(frame.get("seq")) or _text(frame.get("since"))
        elif kind == ServerFrame.ERROR and frame.get("in_reply_to") in (None, self._id):
            return self._refused(frame)
        return None

    def next(self) -> LedgerEvent | None:
        """The oldest line that was not read yet."""
        return self._items.popleft() if self._items else None

    def wants_more(self) -> bool:
        """Whether all is read and lines were let pass: time to `ask` again."""
        return self.overrun and not self._items

    def _line(self, frame: Frame) -> None:
        seq, event = frame.get("seq"), frame.get("event")
        if not self._live or self.overrun or not isinstance(seq, str) or not isinstance(event, dict):
            return
        if len(self._items) >= self._capacity:
            self.overrun = True
            return
        self.since = seq
        self._items.append(LedgerEvent(seq, event))

    def _refused(self, frame: Frame) -> float | None:
        error = error_of(frame)
        if error.code == ErrorCode.RESYNC_REQUIRED:
            self._live, self._begun, self.since = True, True, None
            self._warn()
        elif not self._live and error.retryable:
            return self._backoff.next()
        elif not self._live:
            self.failure = error
        return None

    def _warn(self) -> None:
        if not (self._items and self._items[-1].resync):  # one warning tells as much as two
            self._items.append(LedgerEvent("", resync=True))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
