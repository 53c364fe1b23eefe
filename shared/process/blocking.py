"""Blocking code on an event loop, by greenlets: a function that knows nothing of the loop runs on it, and lets it go while it waits.

`run` is awaited on the loop and calls a function in a greenlet of its own. What that waits for it hands to the loop by `wait`, or to a
thread by `in_thread`. Called from a thread, the same code blocks as ever. No lock may be held over either: the next greenlet of the
loop's thread would wait for it for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar, cast

from greenlet import getcurrent, greenlet

P = ParamSpec("P")
T = TypeVar("T")


class _Blocking(greenlet):
    """A greenlet whose parent awaits, on `loop`, what it switches over with."""

    loop: asyncio.AbstractEventLoop


async def run(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What the function returns or raises. A cancelled caller raises CancelledError in it."""
    child = _Blocking(function, getcurrent())
    child.loop = asyncio.get_running_loop()
    result = child.switch(*args, **kwargs)
    while not child.dead:
        try:
            answer = await result
        except BaseException as error:  # noqa: BLE001 - the function's to hear
            result = child.throw(error)
        else:
            result = child.switch(answer)
    return cast("T", result)


def loop() -> asyncio.AbstractEventLoop | None:
    """The loop on which the caller runs; None for a caller that may block."""
    current = getcurrent()
    return current.loop if isinstance(current, _Blocking) else None


def wait(awaitable: Awaitable[T]) -> T:
    """Let the loop go until the awaitable is done. For callers that run on one."""
    return cast("T", cast("Any", getcurrent().parent).switch(awaitable))


def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that blocks: in a thread of the loop's default executor while the loop goes on, or here, where that is a thread."""
    on = loop()
    return function(*args, **kwargs) if on is None else wait(on.run_in_executor(None, lambda: function(*args, **kwargs)))
