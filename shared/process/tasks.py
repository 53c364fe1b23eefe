"""Ending tasks for certain: a cancellation can get lost, and what runs for ever would then never end.

`asyncio.wait_for`, by which redis-py sends, loses one that comes in the very moment in which the send has ended (CPython before 3.12,
bpo-37658): the task goes on as if nothing had been said. So it is said again until it is heard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

CANCEL_AGAIN: Final = 0.2
"""Seconds after which a task that still runs is told once more."""
TIMES: Final = 25


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks, and come back when all of them are done, or have not heard `TIMES` times; what they raise is theirs."""
    waiting = {task for task in tasks if not task.done()}
    for _ in range(TIMES):
        if not waiting:
            return
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=CANCEL_AGAIN)
