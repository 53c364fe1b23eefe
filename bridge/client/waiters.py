"""Who waits for which request of the client, and how a verdict reaches them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bridge.client.errors import BridgeError, RequestTimeout
from bridge.client.requests import Acknowledged, Answered, Failed, Frame, Repeat, Request, Verdict

OnAcknowledged = Callable[[Frame], object]


@dataclass(frozen=True, slots=True)
class Caller:
    """One who waits."""

    answer: asyncio.Future[Frame]
    on_acknowledged: OnAcknowledged | None


class Callers:
    """All who wait at one client."""

    def __init__(self, repeat: Callable[[Request, int], object]) -> None:
        """`repeat` sends a request again, unless it was sent since the given count of sendings."""
        self._repeat = repeat
        self._waiting: dict[str, Caller] = {}

    @contextmanager
    def waiting(self, request: Request, on_acknowledged: OnAcknowledged | None) -> Iterator[asyncio.Future[Frame]]:
        """The answer to come, for as long as somebody is interested."""
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._waiting[request.id] = Caller(answer, on_acknowledged)
        try:
            yield answer
        finally:
            del self._waiting[request.id]

    def tell(self, verdict: Verdict) -> None:
        """Let a verdict have its effect."""
        caller = self._waiting.get(verdict.request.id)
        if caller is None or caller.answer.done():
            return
        loop = asyncio.get_running_loop()
        match verdict:
            case Answered(frame=frame):
                caller.answer.set_result(frame)
            case Failed(error=error):
                caller.answer.set_exception(error)
            case Repeat(request=request, after=after):
                loop.call_later(after, self._repeat, request, request.sendings)
            case Acknowledged(frame=frame):
                if caller.on_acknowledged is not None:
                    loop.call_soon(caller.on_acknowledged, frame)  # not called here: its errors are its own

    def fail(self, reason: BridgeError) -> None:
        """Everybody hears the same."""
        for caller in self._waiting.values():
            if not caller.answer.done():
                caller.answer.set_exception(anew(reason))


def anew(error: BridgeError) -> BridgeError:
    """The same error for one more caller: a raised one collects the traceback of each."""
    return type(error)(error.detail, code=error.code)


def what_is_known(request: Request, patience: float) -> Frame:
    """What a caller gets whose time is over: the acknowledgement, else the last refusal, else that nothing is known."""
    if request.acknowledged is not None:
        return request.acknowledged
    raise request.refusal or RequestTimeout(f"no answer within {patience:g} s") from None
