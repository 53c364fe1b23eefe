"""One client's subscription to the ledger: the lines that wait to be read, and where it goes on after a reconnect.

No socket and no clock. When its reader is slower than the ledger, lines beyond CAPACITY are dropped and subscribed to again, from the
last line that was kept: memory stays bounded, and nothing is missed.
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
    """One line of the ledger: `seq` is its place, `event` its ids and figures.

    With `resync` it is not a line but a warning: lines may be missing between the one before and the one after it.
    """

    seq: str
    event: dict[str, Any] = field(default_factory=dict)
    resync: bool = False


class ClientSubscription:
    """Lines after `since` (None: from now on), of one conversation or of all."""

    def __init__(self, since: str | None = None, conversation: str | None = None, capacity: int = CAPACITY) -> None:
        """Nothing is sent yet: see `subscribe_frame`."""
        self.since = since
        self._conversation = conversation
        self._capacity = capacity
        self._id = ""
        self._items: deque[LedgerEvent] = deque()
        self._live = False
        self._begun = False
        self._backoff = Backoff(FIRST_REPEAT, LONGEST_REPEAT)
        self.subscribe_count = 0
        self.overrun = False
        self.failure: BridgeError | None = None

    def subscribe_frame(self) -> Frame:
        """The `subscribe` frame for a new connection, or for the same one after an overrun."""
        if self._begun and self.since is None:
            self._add_resync()  # no line and no `subscribed` has said where to go on
        self._live = self.overrun = False
        self.subscribe_count += 1
        self._id = str(uuid.uuid4())  # the bridge repeats it in an `error` about this frame
        wanted = {"conversation": self._conversation, "since": self.since}
        return {"type": ClientFrame.SUBSCRIBE, "id": self._id, **{name: value for name, value in wanted.items() if value is not None}}

    def receive(self, frame: Frame) -> float | None:
        """Read a frame that belongs to no request; after a retryable error the seconds after which to subscribe again, else None."""
        kind = frame.get("type")
        if kind == ServerFrame.EVENT:
            self._add_line(frame)
        elif kind == ServerFrame.SUBSCRIBED:
            self._live, self._begun = True, True
            self._backoff.reset()
            if self.since is None:
                self.since = _text(frame.get("seq")) or _text(frame.get("since"))
        elif kind == ServerFrame.ERROR and frame.get("in_reply_to") in (None, self._id):
            return self._refused(frame)
        return None

    def next(self) -> LedgerEvent | None:
        """The oldest line that is not read yet."""
        return self._items.popleft() if self._items else None

    def is_behind(self) -> bool:
        """Whether lines were dropped and all that was kept is read: it is time to subscribe again."""
        return self.overrun and not self._items

    def _add_line(self, frame: Frame) -> None:
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
            self._add_resync()
        elif not self._live and error.retryable:
            return self._backoff.next()
        elif not self._live:
            self.failure = error
        return None

    def _add_resync(self) -> None:
        if not (self._items and self._items[-1].resync):  # one warning says as much as two
            self._items.append(LedgerEvent("", resync=True))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
