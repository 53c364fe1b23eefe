"""What an operator is told at once: a provider refuses our key or our budget, or something that concerns everybody."""

from __future__ import annotations

from typing import Final, cast

from shared.errors import ProviderError
from shared.mailbox import calls
from shared.mailbox.calls import Alarmed, Provider
from shared.observability import logs
from supervisor_worker.turns import retry_policy
from supervisor_worker.turns.context import TurnContext

LOG: Final = logs.logger(__name__)


async def raise_alarm(context: TurnContext, conversation: str, error: ProviderError, reason: str) -> Alarmed:
    """A key or a budget was refused: pause all sending, unless it may concern one message alone. Raises RedisError."""
    watch = retry_policy.watch(context.settings)
    outcome = await context.mailbox.run(
        calls.alarm(conversation, cast("Provider", error.provider), reason, sure=not error.counts, watch=watch)
    )  # fmt: skip
    if outcome == "paused":
        LOG.critical("A provider refuses our key or budget: all sending is paused", action="alarm", reason=reason)
    return outcome


async def warn(context: TurnContext, reason: str) -> None:
    """Something that concerns everybody, once in a while. Raises RedisError."""
    if await context.mailbox.run(calls.warn(reason)):
        LOG.critical("A provider refuses what concerns everybody: see docs/reference/reasons.md", action="alarm", reason=reason)
