"""Cancels tasks so that they really end: one cancellation can get lost, and a task that runs for ever would then never end.

`asyncio.wait_for`, by which redis-py sends, loses a cancellation that arrives in the very moment in which the send ends (CPython before
3.12, bpo-37658): the task goes on as if nothing had happened. So the cancellation is repeated until the task is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, Final

CANCEL_AGAIN_SECONDS: Final = 0.2
"""How long a task has to end before it is cancelled once more."""
MAX_CANCELS: Final = 25


async def cancel_and_wait(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and return when all of them are done, or after MAX_CANCELS cancellations; what they raise is not raised here.

    A task that awaits something while it cleans up is broken off there by the next cancellation. Whatever must be done at the end is
    therefore done by whoever calls this, afterwards. A caller that is cancelled meanwhile passes that on, and ends after its tasks.
    """
    waiting, cancelled = {task for task in tasks if not task.done()}, False
    for _ in range(MAX_CANCELS):
        if not waiting:
            break
        for task in waiting:
            task.cancel()
        try:
            _, waiting = await asyncio.wait(waiting, timeout=CANCEL_AGAIN_SECONDS)
        except asyncio.CancelledError:
            cancelled, waiting = True, {task for task in waiting if not task.done()}
    if cancelled:
        raise asyncio.CancelledError


async def run_until(stopping: asyncio.Event, work: Coroutine[Any, Any, None], grace_seconds: float = 0) -> None:
    """Run `work` until it ends. Once `stopping` is set it has `grace_seconds` to end by itself; then it is broken off wherever it waits.

    Raises what `work` raised.
    """
    working, stop = asyncio.create_task(work), asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({working, stop}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({working}, timeout=grace_seconds)
    finally:
        await cancel_and_wait((working, stop))
    if not working.cancelled():
        working.result()
