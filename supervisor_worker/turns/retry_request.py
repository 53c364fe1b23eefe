"""A worker serves an operator's request to answer a parked message after all.

No lease is held here: a parked message has none, and outcomes are recorded unfenced, as everywhere. First each attempt of unknown outcome
of the old reply is looked up. A reply that arrived is recorded, and nothing is repeated. Otherwise the message goes to the end of its
conversation. The request ends in the same step (`retry.lua`), so that a request whose worker dies half-way is served by another.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final
from weakref import WeakValueDictionary

from shared.errors import BosslineError, ProviderError
from shared.mailbox import calls
from shared.mailbox.calls.retry_requests import Result, RetryRequest, hold_retry, refuse_retry
from shared.mailbox.records import Attempt, Message, Reply, reply_id_of
from shared.mailbox.wake_queue import job
from shared.observability import logs
from supervisor_worker.turns.attempt_matching import match
from supervisor_worker.turns.context import TurnContext

LOG: Final = logs.logger(__name__)


class TooEarly(BosslineError):
    """The attempt may still be under way at the provider; `detail` is in how many seconds it cannot be any more."""

    code = "too_early"


class Ended(Exception):
    """The request has ended, or the process is to end: the look-up stops."""


class RetryServer:
    """Serves the requests of one process concurrently, but those about one reply one after the other.

    Two look-ups of a reply at the same time would ask its provider twice for the same answer.
    """

    def __init__(self, context: TurnContext) -> None:
        self._context = context
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def serve(self, request: RetryRequest) -> None:
        """Serve a request to its end. Raises RedisError: then another worker serves it when its time has passed."""
        message = await self._message(request)
        async with self._turns.setdefault(message.turn if message else "", asyncio.Lock()):
            try:
                await _serve(request, await self._message(request), self._context)
            except Ended:
                return

    async def _message(self, request: RetryRequest) -> Message | None:
        (message,) = await self._context.mailbox.messages([request.message])
        return message


async def _serve(request: RetryRequest, message: Message | None, context: TurnContext) -> None:
    try:
        await _look_up(request, message, context)
        await _retry(request, message, context)
    except TooEarly as error:
        await _refuse(request, context, "too_early", error.detail)
    except TimeoutError:
        await _refuse(request, context, "provider_away", "no answer in time")
    except ProviderError as error:
        await _refuse(request, context, "provider_away", str(error))
    except BosslineError as error:
        await _refuse(request, context, "failed", error.code)


async def _retry(request: RetryRequest, message: Message | None, context: TurnContext) -> None:
    user = pair = sender = ""
    if message and message.event:  # for a record of an older version, which does not say whose it is
        event, identities = message.event, context.identities
        user, pair = identities.user(event.user), identities.pair(event.to, event.from_)
        sender = identities.sender(event.from_)
    done = await context.mailbox.run(
        calls.retry(
            request.message, request.operation, by=request.by, user=user, pair=pair, sender=sender, retention_ms=context.retention_ms,
            wake=job(message.conversation, message.channel) if message else (),
        )
    )  # fmt: skip
    LOG.info("An operator's request is served", action="retry_request", message_id=request.message, outcome=done.outcome)


async def _refuse(request: RetryRequest, context: TurnContext, result: Result, detail: str) -> None:
    LOG.info("An operator's request is not served", action="retry_request", message_id=request.message, outcome=result)
    await context.mailbox.run(refuse_retry(request.operation, result, detail))


async def _look_up(request: RetryRequest, message: Message | None, context: TurnContext) -> None:
    """Look up each attempt of unknown outcome, a pending one twice, and record the results.

    An attempt that no list can show stays as it is. Raises TooEarly, or a ProviderError or TimeoutError for a list that gave no answer:
    that is not "not found".
    """
    if message is None or message.state != "parked" or not message.turn:
        return
    reply = await context.mailbox.reply(reply_id_of(message.turn))
    for attempt in reply.pending if reply else ():
        await _require_settled(context, attempt, context.request_ms)
    while reply and (again_ms := await _ask(request, reply, context)):
        await _pause(context, again_ms)
        reply = await context.mailbox.reply(reply.id)


async def _ask(request: RetryRequest, reply: Reply, context: TurnContext) -> int:
    """Look each attempt up once; the ms until the next look-up, 0 when none is needed."""
    again_ms, channel = 0, context.channels[reply.command.channel]
    for attempt in reply.uncertain:
        if not await context.mailbox.run(hold_retry(request.operation, context.lease_ms)):
            raise Ended
        asked_ms = await _now_ms(context)
        async with asyncio.timeout(context.settings.send_timeout_seconds):
            listed = await channel.find(reply.command, attempt)
        if listed is None:
            if not attempt.outcome:
                await _require_settled(context, attempt, int(context.settings.email_event_wait_seconds * 1000))
            continue
        provider_id = await match(
            context.mailbox, attempt, listed, conversation=reply.conversation, reply=reply.id, command=reply.command,
            request_ms=context.request_ms,
        )  # fmt: skip
        if provider_id:
            call = calls.outcome(reply.id, attempt.id, "accepted", retention_ms=context.retention_ms, provider_id=provider_id)
            await context.mailbox.run(call)
            return 0  # one accepted attempt settles the reply; another look-up would match the same message as a second copy
        unseen = calls.not_found(
            reply.id, attempt.id, asked_ms=asked_ms, again_ms=context.lookup_again_ms, retention_ms=context.retention_ms
        )
        again_ms = max(again_ms, (await context.mailbox.run(unseen)).wait_ms)
    return again_ms


async def _pause(context: TurnContext, ms: int) -> None:
    try:
        await asyncio.wait_for(context.stopping.wait(), ms / 1000)
    except TimeoutError:
        return
    raise Ended


async def _require_settled(context: TurnContext, attempt: Attempt, ms: int) -> None:
    """Raise TooEarly until `ms` have passed since the attempt, by the server's clock."""
    left = attempt.runs_from + ms - await _now_ms(context)
    if left > 0:
        raise TooEarly(str(-(-left // 1000)))


async def _now_ms(context: TurnContext) -> int:
    now: Any = await context.mailbox.redis.time()
    return int(now[0] * 1000 + now[1] // 1000)
