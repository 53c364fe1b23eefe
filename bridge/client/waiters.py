"""The callers that wait for the client's requests: an update of a request resolves its caller's future."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bridge.client.errors import BridgeError, RequestTimeout
from bridge.client.requests import Acknowledged, Answered, Failed, Frame, PendingRequest, Repeat, RequestUpdate

OnAcknowledged = Callable[[Frame], object]


@dataclass(frozen=True, slots=True)
class Waiter:
    """A caller of `send_sms_event` or `send_email_event`."""

    answer: asyncio.Future[Frame]
    on_acknowledged: OnAcknowledged | None


class Waiters:
    """The waiting callers of one client, by the id of their request."""

    def __init__(self, repeat: Callable[[PendingRequest, int], object]) -> None:
        """`repeat(request, times_sent)` sends a request again, unless it was sent more often than `times_sent` meanwhile."""
        self._repeat = repeat
        self._waiting: dict[str, Waiter] = {}

    @contextmanager
    def waiting(self, request: PendingRequest, on_acknowledged: OnAcknowledged | None) -> Iterator[asyncio.Future[Frame]]:
        """A future of the final answer; the caller waits for it inside the block."""
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._waiting[request.id] = Waiter(answer, on_acknowledged)
        try:
            yield answer
        finally:
            del self._waiting[request.id]

    def resolve(self, update: RequestUpdate) -> None:
        """Apply an update: an answer or an error ends the wait, an acknowledgement is reported, a repetition is scheduled."""
        waiter = self._waiting.get(update.request.id)
        if waiter is None or waiter.answer.done():
            return
        loop = asyncio.get_running_loop()
        match update:
            case Answered(frame=frame):
                waiter.answer.set_result(frame)
            case Failed(error=error):
                waiter.answer.set_exception(error)
            case Repeat(request=request, after=after):
                loop.call_later(after, self._repeat, request, request.times_sent)
            case Acknowledged(frame=frame):
                if waiter.on_acknowledged is not None:
                    loop.call_soon(waiter.on_acknowledged, frame)  # not called here: an error in it must not stop the reading of frames

    def fail(self, reason: BridgeError) -> None:
        """End every wait with the same error."""
        for waiter in self._waiting.values():
            if not waiter.answer.done():
                waiter.answer.set_exception(copy_of(reason))


def copy_of(error: BridgeError) -> BridgeError:
    """A new error like this one, because an error that is raised twice collects the tracebacks of both."""
    return type(error)(error.detail, code=error.code)


def result_at_timeout(request: PendingRequest, seconds: float) -> Frame:
    """What a caller gets when its time is over: the acknowledgement if there is one.

    Raises the last retryable error of the bridge, or RequestTimeout when nothing came at all.
    """
    if request.acknowledged is not None:
        return request.acknowledged
    raise request.last_error or RequestTimeout(f"no answer within {seconds:g} s") from None
