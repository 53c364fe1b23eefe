"""Who waits for which request of the client, and how a verdict reaches them."""

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
    """One who waits."""

    answer: asyncio.Future[Frame]
    on_acknowledged: OnAcknowledged | None


class Waiters:
    """All who wait at one client."""

    def __init__(self, repeat: Callable[[PendingRequest, int], object]) -> None:
        """`repeat` sends a request again, unless it was sent since the given count of sendings."""
        self._repeat = repeat
        self._waiting: dict[str, Waiter] = {}

    @contextmanager
    def waiting(self, request: PendingRequest, on_acknowledged: OnAcknowledged | None) -> Iterator[asyncio.Future[Frame]]:
        """The answer to come, for as long as somebody is interested."""
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._waiting[request.id] = Waiter(answer, on_acknowledged)
        try:
            yield answer
        finally:
            del self._waiting[request.id]

    def resolve(self, update: RequestUpdate) -> None:
        """Let a verdict have its effect."""
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
                loop.call_later(after, self._repeat, request, request.sendings)
            case Acknowledged(frame=frame):
                if waiter.on_acknowledged is not None:
                    loop.call_soon(waiter.on_acknowledged, frame)  # not called here: its errors are its own

    def fail(self, reason: BridgeError) -> None:
        """Everybody hears the same."""
        for waiter in self._waiting.values():
            if not waiter.answer.done():
                waiter.answer.set_exception(copy_of(reason))


def copy_of(error: BridgeError) -> BridgeError:
    """The same error for one more caller: a raised one collects the traceback of each."""
    return type(error)(error.detail, code=error.code)


def result_at_timeout(request: PendingRequest, patience: float) -> Frame:
    """What a caller gets whose time is over: the acknowledgement, else the last refusal, else that nothing is known."""
    if request.acknowledged is not None:
        return request.acknowledged
    raise request.refusal or RequestTimeout(f"no answer within {patience:g} s") from None
