"""The jobs that RQ runs, by names that are stored in Redis. Each is a wake-up: it runs at most one turn of one conversation.

A job's arguments are ids. RQ keeps what a job raises for a week and shows it on its dashboard, so an error is raised anew as a summary:
its class and where it was raised, without its message, which may quote a text.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Final

from structlog.contextvars import bound_contextvars

from shared.observability import logs
from shared.observability.redaction import SafeError, summarize
from supervisor_worker.process.resources import WorkerResources, current_resources
from supervisor_worker.turns.turn import run_turn

LOG: Final = logs.logger(__name__)


class JobFailed(SafeError):
    """A job's error as a summary."""


async def sms_received(conversation: str) -> None:
    """Run a turn of a conversation of text messages."""
    await _run(conversation)


async def email_received(conversation: str) -> None:
    """Run a turn of a mail thread."""
    await _run(conversation)


async def message_received(conversation: str) -> None:
    """Run a turn of a conversation of any other channel."""
    await _run(conversation)


async def _run(conversation: str) -> None:
    """One turn. Raises JobFailed, or CancelledError for a job that was stopped on request."""
    with bound_contextvars(conversation=conversation):
        try:
            async with current_resources() as resources:
                await _turn(conversation, resources)
        except Exception as error:  # noqa: BLE001 - whatever it is, its message stays here
            raise JobFailed(summarize(error)) from None


async def _turn(conversation: str, resources: WorkerResources) -> None:
    try:
        await run_turn(conversation, f"k-{uuid.uuid4().hex}", resources.context)
    except asyncio.CancelledError:
        if not resources.context.stopping.is_set():
            raise
        LOG.info("A turn was released because the worker ends", action="turn_released")
