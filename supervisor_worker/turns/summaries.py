"""Summaries of long conversations, made off the path of any reply: read, asked of the model, stored under what they were made of.

    the sweep hands a conversation out ─▶ read ─▶ reserve ─▶ ask ─▶ settle ─▶ store
         └── again when its time is over, whatever became of this process: at most one answer is paid for once more

A summary that fails keeps the old one, and is tried again later. None is made while four fifths of a bound are used up.
"""

from __future__ import annotations

import uuid
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Final

from shared.errors import ProviderError
from shared.mailbox import calls
from shared.mailbox.calls import DayBounds, Settled, SummarySource
from shared.mailbox.records import Summary
from shared.model.channels import CHANNELS
from shared.model.users import User
from shared.observability import logs
from shared.observability.redaction import error_location
from supervisor_worker.assistant.costs import offset_ms
from supervisor_worker.assistant.generated import CUT
from supervisor_worker.assistant.model_choice import usual
from supervisor_worker.assistant.price import most_of
from supervisor_worker.assistant.summary import SummaryTask, task_of
from supervisor_worker.assistant.time_notes import zone
from supervisor_worker.turns import retry_policy
from supervisor_worker.turns.context import TurnContext

LOG: Final = logs.logger(__name__)
MOST_AT_ONCE: Final = 2
"""Summaries that a process makes at once: replies come first."""
PART_OF_BOUNDS: Final = 0.8
AGAIN_SECONDS: Final = 60.0
"""After a try that failed; each further one waits twice as long."""
LATER_SECONDS: Final = 3_600.0
"""After a try for which there was no room."""


class Summarizer:
    """Makes the summaries of one worker process."""

    def __init__(self, context: TurnContext) -> None:
        self._context = context

    async def make(self, conversation: str) -> str:
        """Make one; the answer says what became of it. Raises RedisError: then it is handed out again."""
        try:
            return await self._made(conversation)
        except ProviderError as error:
            LOG.warning("A summary was not made", action="summary_failed", conversation=conversation, code=error.code, status=error.status)
            return await self._put_off(conversation, "failed", AGAIN_SECONDS)
        except (ValueError, KeyError, TypeError) as error:  # a record that cannot be read: the others' summaries go on
            LOG.error("A summary failed in our own code", action="summary_failed", conversation=conversation, **error_location(error))  # noqa: TRY400 - see `error_location`
            return await self._put_off(conversation, "failed", LATER_SECONDS)

    async def _made(self, conversation: str) -> str:
        context = self._context
        source = await context.mailbox.run(calls.summary_source(conversation, most_bytes=2 * context.history_bytes))
        if source is None:
            return "nothing"
        user = self._user(source.user)
        theirs = user is not None and self._is_theirs(user, source.pair)
        task = task_of(source, context.settings.history_tokens, zone(user)) if theirs else None
        if user is None or task is None:
            return await self._put_off(conversation, "nothing")
        name = f"q-s{uuid.uuid4().hex}"
        if not await self._reserved(name, task, source, user):
            return await self._put_off(conversation, "no_room", LATER_SECONDS)
        summary = await self._asked(name, task)
        if summary is None:
            return await self._put_off(conversation, "failed", AGAIN_SECONDS)
        stored = calls.store_summary(
            source, name, summary, begins_with=task.begins_with, more=task.more, retention_ms=context.retention_ms
        )  # fmt: skip
        return await context.mailbox.run(stored)

    async def _reserved(self, name: str, task: SummaryTask, source: SummarySource, user: User) -> bool:
        """Whether there is room for the question in four fifths of every bound, which is reserved then."""
        context = self._context
        amount, choice = most_of(task.prompt, context.settings), usual(context.settings)
        verdict = await context.mailbox.run(
            calls.reserve_job(
                name, amount, person=source.user, offset_ms=offset_ms(user, datetime.now(UTC)), lasts_ms=self.hold_ms,
                cost=context.costs.most(choice.model, amount, choice.longest), bounds=four_fifths(context.day_bounds),
            )
        )  # fmt: skip
        return verdict == "ok"

    async def _asked(self, name: str, task: SummaryTask) -> Summary | None:
        """The model's summary; None for an answer that cannot be used. Whatever it used is settled."""
        context = self._context
        try:
            answer = await context.model.think(task.prompt)
        except ProviderError as error:
            await context.mailbox.run(calls.settle(Settled(name, error.used, "bad")))
            raise
        summary = None if answer.stop in CUT else task.summary(answer.text)
        cost = context.costs.price(usual(context.settings).model).cost(answer.usage)
        await context.mailbox.run(calls.settle(Settled(name, answer.used, "good" if summary else "bad", cost)))
        return summary

    @property
    def hold_ms(self) -> int:
        """How long a summary is this process's: as long as its question may take, and a lease more."""
        return int(self._context.settings.claude_timeout_seconds * 1000) + self._context.lease_ms

    async def _put_off(self, conversation: str, reason: calls.SummaryPutOff, seconds: float = -1) -> str:
        wait_ms = retry_policy.scaled_ms(seconds, self._context.settings) if seconds > 0 else -1
        await self._context.mailbox.run(calls.put_off_summary(conversation, reason, wait_ms=wait_ms))
        return reason

    def _is_theirs(self, user: User, pair: str) -> bool:
        """Whether the conversation's address is still its person's: else nobody will talk there who is to be understood."""
        pairs = (self._context.identities.pair(*ends) for channel in CHANNELS for ends in user.all_ends(channel))
        return pair == "" or pair in pairs

    def _user(self, entry: str) -> User | None:
        """The person, by the id of their entry."""
        return next((user for user in self._context.users.all if self._context.identities.user(user.id) == entry), None)


def four_fifths(bounds: DayBounds) -> DayBounds:
    """The bounds within which something may be asked that nobody waits for."""
    parts = {each.name: getattr(bounds, each.name) * PART_OF_BOUNDS for each in fields(bounds)}
    return replace(bounds, **{name: max(1, int(part)) if part else 0 for name, part in parts.items()})
