"""Texts that went out and of which no final report has come: Twilio's own record of each is read, and taken for the report.

A status report is brought a few times within 15 s and then lost. What it would have said stands in the record: so a text that did not
arrive is told on its user's other channel here as well, by the same script. A text is asked about when it is as old as the interval
between two looks, then when that time has doubled, and for a day at most: some carriers never report.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from shared.errors import ProviderError
from shared.mailbox import AsyncMailbox, calls
from shared.mailbox.calls import Unsettled
from shared.model.delivery_reports import FINAL, TWILIO_STATES, word_of_the_user
from shared.observability import logs as telemetry
from supervisor_worker.channels.twilio.message_list import Record

LOG: Final = telemetry.logger(__name__)
AT_ONCE: Final = 10
"""What is taken from the list is asked about in this run; so it is taken in small parts."""


class Records(Protocol):
    """Twilio's record of a message; raises ProviderErrors."""

    async def record(self, sid: str) -> Record | None:
        """None for one that it does not have."""
        ...


async def settle(mailbox: AsyncMailbox, records: Records, *, after: float, ends_at: float, retention_ms: int) -> int:
    """Ask about what has waited for `after` seconds, until `ends_at` of the loop's clock; how many were settled. Raises RedisError."""
    settled = 0
    look = calls.unsettled(after_ms=int(after * 1000), most_ms=calls.DAY_MS, limit=AT_ONCE)
    while asyncio.get_running_loop().time() < ends_at:
        batch = await mailbox.run(look)
        try:
            for text in batch:
                settled += await _ask(mailbox, records, text, retention_ms)
        except ProviderError as error:
            LOG.warning("Twilio's record of a text could not be read", action="settle_failed", code=error.code, status=error.status)
            break
        if len(batch) < AT_ONCE:
            break
    return settled


async def _ask(mailbox: AsyncMailbox, records: Records, text: Unsettled, retention_ms: int) -> bool:
    """Whether the text has its final state now."""
    record = await records.record(text.provider_id)
    state = TWILIO_STATES.get(record.status, "") if record else ""
    if record is None or state not in FINAL:
        return False
    opt, report = word_of_the_user(text.provider_id, record.code)
    call = calls.status(
        text.provider_id, state, reply=text.reply, attempt=text.attempt, code=record.code, opt=opt, report=report, retention_ms=retention_ms
    )
    await mailbox.run(call)
    return True
