"""Hears the recordings of one turn: each is reserved for, sent, and what came of it stored, before anything is asked.

A failure that may pass is tried again while the turn has time for its files; then the model and the person are told. What was heard, and
that nothing can be heard, stays with the message: no later try of the turn pays for it again.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from dataclasses import dataclass
from typing import Final

from shared.config.settings import Settings
from shared.errors import LeaseLost
from shared.mailbox.calls import NO_MODEL_CALL, keep_heard
from shared.model.heard import Heard
from shared.observability import logs
from supervisor_worker.assistant.reservations import ModelCallDenied, ModelCalls
from supervisor_worker.media.transcription import NotTranscribed, Transcriber
from supervisor_worker.media.turn_files import Recording
from supervisor_worker.providers.http_pool import PermitExpired

RETRY_WAITS: Final = (1 / 60, 3 / 60)
"""Before the second and the third try, at the least: 1 s and 3 s of a lease of 60."""
MINUTE: Final = 60
MIB: Final = 1024 * 1024
NO_TOKENS: Final = ("dear", "spent", "share", "month", "own_month", "reserved")
"""Why a call is denied for what it may cost; see `shared.mailbox.calls.Reserved`."""
LOG: Final = logs.logger(__name__)


@dataclass(frozen=True)
class Hearing:
    """Who hears for one turn, and what it counts as."""

    transcriber: Transcriber
    settings: Settings
    calls: ModelCalls

    async def hear(self, recording: Recording, end: float) -> Heard:
        """What a recording says, or why nobody knows, by `end` of the event loop's clock.

        Raises LeaseLost, ModelCallDenied where nothing may be sent for its person any more, PermitExpired and RedisError.
        """
        settings = self.settings
        if end <= asyncio.get_running_loop().time():
            return Heard(fault="hearing_failed")  # not stored: another try of the turn has time
        if len(recording.content) > settings.stt_max_mb * MIB or recording.seconds > settings.stt_max_minutes * MINUTE:
            return Heard(fault="too_long")
        try:
            heard = await self._tried(recording, end)
        except ModelCallDenied as denied:
            if denied.reason not in NO_TOKENS:
                raise
            LOG.warning("There are no tokens for a recording", action="not_heard", message=recording.message.id, reason=denied.reason)
            return Heard(fault="not_paid")  # not stored: a later day may have them
        await self._keep(recording, heard)
        return heard

    def amount(self, seconds: int) -> int:
        """What so many seconds count as, in tokens."""
        return math.ceil(seconds * self.settings.stt_tokens_per_minute / MINUTE)

    async def _tried(self, recording: Recording, end: float) -> Heard:
        now = asyncio.get_running_loop().time
        for share in (*RETRY_WAITS, math.inf):
            try:
                return await self._once(recording, end - now())
            except NotTranscribed as error:
                level = logging.ERROR if error.ours else logging.WARNING
                LOG.log(level, "A recording was not heard", action="not_heard", message=recording.message.id, reason=error.reason)
                if not error.transient:
                    return Heard(fault="hearing_failed" if error.ours else "not_understood")
                wait = share * self.settings.lease_seconds
                pause = max(wait, error.wait) * (1 + random.random() / 4)  # noqa: S311 - spreads retries, guards nothing
            if now() + pause >= end:
                break
            await asyncio.sleep(pause)
        return Heard(fault="hearing_failed")

    async def _once(self, recording: Recording, seconds: float) -> Heard:
        """One request, reserved for. Raises NotTranscribed."""
        amount = self.amount(recording.seconds)
        if amount:
            await self.calls.reserve_hearing(amount)
        used: int | None = None
        try:
            transcript = await self.transcriber.transcribe(recording.content, seconds)
            used = amount if transcript.seconds is None else self.amount(transcript.seconds)
        except NotTranscribed as error:
            used = None if error.paid else 0
            raise
        except PermitExpired:
            used = 0
            raise
        finally:
            if amount:
                self.calls.heard(used)
        return Heard(transcript.text)

    async def _keep(self, recording: Recording, heard: Heard) -> None:
        calls, costs = self.calls, self.amount(recording.seconds) > 0
        settled = calls.settled if costs else NO_MODEL_CALL  # the claim's own call is settled by what follows it
        call = keep_heard(calls.conversation, calls.token, recording.message.id, recording.file.key, heard, settled=settled)
        if await calls.mailbox.run(call) == "lost":
            raise LeaseLost(calls.conversation)
