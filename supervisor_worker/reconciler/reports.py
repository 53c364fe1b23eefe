"""Sent texts without a final delivery report: Twilio's record of each is read in its place.

Twilio tries to deliver a status report a few times within 15 s; then it is lost. The record holds the same state, so the user of a text
that was not delivered is told on their other channel by the same script. A text's record is read when the text is as old as the interval
between two runs, then each time that age has doubled, and for a day at most: some carriers never report.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from shared.errors import ProviderError
from shared.mailbox import AsyncMailbox, calls
from shared.mailbox.calls import Unsettled
from shared.model.delivery_reports import FINAL, TWILIO_STATES, word_of_the_user
from shared.observability import logs
from supervisor_worker.channels.twilio.message_list import SmsRecord

LOG: Final = logs.logger(__name__)
MAX_BATCH: Final = 10
"""What is taken from the mailbox's list has to be asked about in this run, so it is taken in small batches."""


class SmsRecords(Protocol):
    """Twilio's record of a message; raises ProviderErrors."""

    async def record(self, sid: str) -> SmsRecord | None:
        """None for one that it does not have."""
        ...


async def settle(mailbox: AsyncMailbox, records: SmsRecords, *, after: float, ends_at: float, retention_ms: int) -> int:
    """Read the records of texts that are `after` seconds old, until `ends_at` (loop clock); how many were settled. Raises RedisError."""
    settled = 0
    look = calls.unsettled(after_ms=int(after * 1000), most_ms=calls.DAY_MS, limit=MAX_BATCH)
    while asyncio.get_running_loop().time() < ends_at:
        batch = await mailbox.run(look)
        try:
            for text in batch:
                settled += await _ask(mailbox, records, text, retention_ms)
        except ProviderError as error:
            LOG.warning("Twilio's record of a text could not be read", action="settle_failed", code=error.code, status=error.status)
            break
        if len(batch) < MAX_BATCH:
            break
    return settled


async def _ask(mailbox: AsyncMailbox, records: SmsRecords, text: Unsettled, retention_ms: int) -> bool:
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
