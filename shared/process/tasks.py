"""Cancels tasks so that they really end: one cancellation can get lost, and a task that runs for ever would then never end.

`asyncio.wait_for`, by which redis-py sends, loses a cancellation that arrives in the very moment in which the send ends (CPython before
3.12, bpo-37658): the task goes on as if nothing had happened. So the cancellation is repeated until the task is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

CANCEL_AGAIN_SECONDS: Final = 0.2
"""How long a task has to end before it is cancelled once more."""
MAX_CANCELS: Final = 25


async def cancel_and_wait(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and return when all of them are done, or after MAX_CANCELS cancellations; what they raise is not raised here."""
    waiting = {task for task in tasks if not task.done()}
    for _ in range(MAX_CANCELS):
        if not waiting:
            return
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=CANCEL_AGAIN_SECONDS)
