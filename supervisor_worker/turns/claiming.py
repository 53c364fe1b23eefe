"""A claim of a conversation for one job, which leaves no lease behind when it is cancelled."""

from __future__ import annotations

import asyncio
import uuid

from shared.mailbox import calls
from shared.mailbox.calls import Claim, Settled
from shared.mailbox.calls.turns import first_model_call_id
from supervisor_worker.turns import retry_policy
from supervisor_worker.turns.context import TurnContext


async def claim(conversation: str, token: str, context: TurnContext) -> Claim:
    """Claim. Raises RedisError. Shielded: a claim that is cancelled half-way may have taken the lease, which nobody would release."""
    call = calls.claim(
        conversation, token, f"t-{uuid.uuid4().hex}", lease_ms=context.lease_ms, share=context.sender_turns,
        history_bytes=context.history_bytes, oldest_ms=retry_policy.oldest_ms(context.settings), model_call=first_model_call_id(token),
        bounds=context.day_bounds, dearest=context.dearest, process=context.process, life_ms=context.life_ms,
    )  # fmt: skip
    claiming = asyncio.ensure_future(context.mailbox.run(call))
    try:
        return await asyncio.shield(claiming)
    except asyncio.CancelledError:
        await asyncio.wait({claiming})
        not_asked = Settled(first_model_call_id(token))
        await context.mailbox.run(calls.backoff(conversation, token, 0, "shutdown", counted=False, settled=not_asked))
        raise
