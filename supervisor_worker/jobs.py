"""The jobs that RQ runs. Each is a wake-up: it looks at one conversation and runs one turn at most.

A job's arguments are ids. What a job raises is kept by RQ for a week and shown on its dashboard, so an error leaves here as its
outline only: where it was raised and of what kind, without its own words, which may quote a message.
"""

from __future__ import annotations

import asyncio
import traceback
import uuid
from collections.abc import Iterator
from typing import Final

from structlog.contextvars import bound_contextvars

from shared import telemetry
from shared.errors import BosslineError
from supervisor_worker.crew import Crew, crew_of_this_process
from supervisor_worker.turn import run_turn

LOG: Final = telemetry.logger(__name__)
FRAMES: Final = 8
CAUSES: Final = 3


class JobFailed(Exception):
    """A job's error, in outline."""


async def sms_received(conversation: str) -> None:
    """Look at a conversation of texts."""
    await _look_at(conversation)


async def email_received(conversation: str) -> None:
    """Look at a mail thread."""
    await _look_at(conversation)


async def _look_at(conversation: str) -> None:
    """One turn. Raises JobFailed, or CancelledError for a job that was stopped on request."""
    with bound_contextvars(conversation=conversation):
        try:
            async with crew_of_this_process() as crew:
                await _turn(conversation, crew)
        except Exception as error:  # noqa: BLE001 - whatever it is, its own words stay here
            raise JobFailed(outline(error)) from None


async def _turn(conversation: str, crew: Crew) -> None:
    try:
        await run_turn(conversation, f"k-{uuid.uuid4().hex}", crew.supervisor)
    except asyncio.CancelledError:
        if not crew.supervisor.stopping.is_set():
            raise
        LOG.info("A turn was released because the worker ends", action="turn_released")


def outline(error: BaseException) -> str:
    """Where and what an error was, and what caused it, without the words of errors that are not ours."""
    text = "".join(part for one in _chain(error) for part in ("Traceback (in outline):\n", *_frames(one), f"{_name(one)}\n"))
    return telemetry.mask(text)


def _chain(error: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = error
    for _ in range(CAUSES):
        if one is None:
            return
        yield one
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def _frames(error: BaseException) -> list[str]:
    return traceback.format_tb(error.__traceback__, limit=-FRAMES)


def _name(error: BaseException) -> str:
    kind = type(error)
    if isinstance(error, BosslineError | JobFailed):
        return f"{kind.__name__}: {error}"
    return f"{kind.__module__}.{kind.__qualname__}"
