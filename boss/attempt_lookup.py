"""Asking the provider about a reply's attempts before an operator's retry, outside any turn.

Nobody holds a lease here: a parked message has none, and what the provider answers is recorded unfenced, as everywhere.
The SDKs are loaded only when there is something to ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from shared.config.settings import Settings
from shared.errors import BosslineError
from shared.mailbox import AsyncMailbox, calls
from shared.mailbox.records import Attempt, Reply
from shared.runtime import redis_url
from shared.storage.clients import for_loop
from supervisor_worker.channels.port import ChannelPort
from supervisor_worker.turns import retry_policy as limits
from supervisor_worker.turns.attempt_matching import bind

OpenPort = Callable[[Settings, Reply], ChannelPort]


class TooEarly(BosslineError):
    """The attempt may still be under way at the provider."""

    code = "too_early"


def open_port(settings: Settings, reply: Reply) -> ChannelPort:
    """The channel that the reply goes by; importing it takes a second."""
    if reply.command.type == "send_sms_response":
        from supervisor_worker.channels.twilio.sms import TwilioSms  # noqa: PLC0415

        return TwilioSms(settings)
    from supervisor_worker.channels.sendgrid.email import SendGridEmail  # noqa: PLC0415

    return SendGridEmail(settings)


async def look_up(settings: Settings, reply: Reply, *, port: OpenPort = open_port) -> None:
    """Ask about each attempt of unknown fate, of an unresolved one twice, and record the answers.

    An attempt that no list can show stays as it is. Raises TooEarly, or a ProviderError for a list that gave no answer: that is not
    "not found".
    """
    async with _mailbox(settings) as mailbox:
        for attempt in reply.unresolved:
            await _require_settled(mailbox, attempt, settings.send_timeout_seconds + settings.send_margin_seconds)
        channel = port(settings, reply)
        try:
            while again_ms := await _ask(mailbox, channel, settings, reply):
                await asyncio.sleep(again_ms / 1000)
                reply = await mailbox.reply(reply.id) or reply
        finally:
            await channel.aclose()


async def _ask(mailbox: AsyncMailbox, channel: ChannelPort, settings: Settings, reply: Reply) -> int:
    """One look for each attempt; in how many ms to look again, 0 when all has been told."""
    request_ms = int((settings.send_timeout_seconds + settings.send_margin_seconds) * 1000)
    again_ms = 0
    for attempt in reply.unsure:
        asked_ms = await _now_ms(mailbox)
        async with asyncio.timeout(settings.send_timeout_seconds):
            listed = await channel.find(reply.command, attempt)
        if listed is None:
            if not attempt.outcome:
                await _require_settled(mailbox, attempt, settings.email_event_wait_seconds)
            continue
        provider_id = await bind(
            mailbox, attempt, listed, conversation=reply.conversation, reply=reply.id, command=reply.command, request_ms=request_ms
        )
        retention_ms = settings.retention_ms
        if provider_id:
            await mailbox.run(calls.outcome(reply.id, attempt.id, "accepted", retention_ms=retention_ms, provider_id=provider_id))
            return 0  # one accepted attempt settles the reply; another look would take the same message for a second copy
        look_again_ms = limits.scaled_ms(limits.LOOK_AGAIN, settings)
        call = calls.unseen(reply.id, attempt.id, asked_ms=asked_ms, again_ms=look_again_ms, retention_ms=retention_ms)
        again_ms = max(again_ms, (await mailbox.run(call)).wait_ms)
    return again_ms


@asynccontextmanager
async def _mailbox(settings: Settings) -> AsyncIterator[AsyncMailbox]:
    redis = for_loop(redis_url(settings), connections=2)
    try:
        yield AsyncMailbox(redis)
    finally:
        await redis.aclose()


async def _require_settled(mailbox: AsyncMailbox, attempt: Attempt, seconds: float) -> None:
    """Raise TooEarly until `seconds` have passed since the attempt, by the server's clock."""
    left = (attempt.runs_from - await _now_ms(mailbox)) / 1000 + seconds
    if left > 0:
        raise TooEarly(f"the last attempt may still be under way: try again in {left:.0f} s")


async def _now_ms(mailbox: AsyncMailbox) -> int:
    now: Any = await mailbox.redis.time()
    return int(now[0] * 1000 + now[1] // 1000)
