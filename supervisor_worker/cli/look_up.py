"""Asking the provider about a reply's attempts before an operator's retry, outside any turn.

Nobody holds a lease here: a parked message has none, and what the provider answers is recorded unfenced, as everywhere.
The SDKs are loaded only when there is something to ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal

from shared.errors import BosslineError, Disposition
from shared.mailbox import AsyncMailbox, calls
from shared.mailbox.types import Attempt, Reply
from shared.redis import for_loop
from shared.runtime import redis_url
from shared.settings import Settings
from supervisor_worker.channels.port import ChannelPort

OpenPort = Callable[[Settings, Reply], ChannelPort]


class TooEarly(BosslineError):
    """The attempt may still be under way at the provider."""

    disposition = Disposition.RETRY
    code = "too_early"


def open_port(settings: Settings, reply: Reply) -> ChannelPort:
    """The channel that the reply goes by; importing it takes a second."""
    if reply.command.type == "send_sms_response":
        from supervisor_worker.channels.twilio_sms import TwilioSms  # noqa: PLC0415

        return TwilioSms(settings)
    from supervisor_worker.channels.sendgrid_email import SendGridEmail  # noqa: PLC0415

    return SendGridEmail(settings)


async def look_up(settings: Settings, reply: Reply, *, port: OpenPort = open_port) -> None:
    """Ask about each unresolved attempt and record the answer; one that no list can show stays unresolved.

    Raises TooEarly, or a ProviderError for a list that gave no answer: that is not "not found".
    """
    async with _mailbox(settings) as mailbox:
        for attempt in reply.unresolved:
            await _require_settled(mailbox, attempt, settings.send_timeout_seconds + settings.send_margin_seconds)
        channel = port(settings, reply)
        try:
            await _ask(mailbox, channel, settings, reply)
        finally:
            await channel.aclose()


async def _ask(mailbox: AsyncMailbox, channel: ChannelPort, settings: Settings, reply: Reply) -> None:
    for attempt in reply.unresolved:
        async with asyncio.timeout(settings.send_timeout_seconds):
            found = await channel.find(reply.command, attempt)
        if found is None:
            await _require_settled(mailbox, attempt, settings.email_event_wait_seconds)
            continue
        elsewhere = await mailbox.known_elsewhere(found, reply.id)
        provider_id = next((each for each in found if each not in elsewhere), "")
        result: Literal["accepted", "absent"] = "accepted" if provider_id else "absent"
        retention_ms = int(settings.retention_days * calls.DAY_MS)
        await mailbox.run(calls.outcome(reply.id, attempt.id, result, retention_ms=retention_ms, provider_id=provider_id))
        if provider_id:
            return  # one accepted attempt settles the reply; another look would take the same message for a second copy


@asynccontextmanager
async def _mailbox(settings: Settings) -> AsyncIterator[AsyncMailbox]:
    redis = for_loop(redis_url(settings), connections=2)
    try:
        yield AsyncMailbox(redis)
    finally:
        await redis.aclose()


async def _require_settled(mailbox: AsyncMailbox, attempt: Attempt, seconds: float) -> None:
    """Raise TooEarly until `seconds` have passed since the attempt, by the server's clock."""
    now: Any = await mailbox.redis.time()
    left = attempt.at / 1000 + seconds - (now[0] + now[1] / 1_000_000)
    if left > 0:
        raise TooEarly(f"the last attempt may still be under way: try again in {left:.0f} s")
