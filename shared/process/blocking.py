"""Blocking code on an event loop, by greenlets: a function that knows nothing of the loop runs on it, and lets it run while it waits.

`run` is awaited on the loop and calls a function in a greenlet of its own. The function hands what it waits for to the loop by `wait`, or
to a thread by `in_thread`. Called from a thread, the same code simply blocks. No lock may be held during either: another greenlet in the
loop's thread would wait for that lock for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar, cast

from greenlet import getcurrent, greenlet

P = ParamSpec("P")
T = TypeVar("T")


class _Blocking(greenlet):
    """A greenlet whose parent awaits, on `loop`, what the greenlet passes to it by switching."""

    loop: asyncio.AbstractEventLoop


async def run(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call the function; returns or raises what it does. When the caller is cancelled, the function gets the CancelledError."""
    child = _Blocking(function, getcurrent())
    child.loop = asyncio.get_running_loop()
    result = child.switch(*args, **kwargs)
    while not child.dead:
        try:
            answer = await result
        except BaseException as error:  # noqa: BLE001 - raised in the function instead
            result = child.throw(error)
        else:
            result = child.switch(answer)
    return cast("T", result)


def loop() -> asyncio.AbstractEventLoop | None:
    """The event loop that the caller runs on; None for a caller that may block."""
    current = getcurrent()
    return current.loop if isinstance(current, _Blocking) else None


def wait(awaitable: Awaitable[T]) -> T:
    """Let the loop run until the awaitable is done. Only for callers that run on one."""
    return cast("T", cast("Any", getcurrent().parent).switch(awaitable))


def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a blocking function: in the loop's default executor for a caller on a loop, directly for a caller in a thread."""
    on = loop()
    return function(*args, **kwargs) if on is None else wait(on.run_in_executor(None, lambda: function(*args, **kwargs)))
