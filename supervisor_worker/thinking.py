"""From a turn's messages to the reply that will be stored: a fixed sentence for a notice, the model's answer for everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from shared import telemetry
from shared.errors import ProviderRefused, ProviderUnavailable
from shared.events import Received, Response, SmsReceived
from shared.mailbox.types import Message, Reply, Turn
from shared.settings import Settings
from shared.users import Users
from supervisor_worker import conversation, sentences
from supervisor_worker.budget import RetryBudget
from supervisor_worker.claude import PROVIDER, Answer
from supervisor_worker.conversation import SMS_LIMIT, Question
from supervisor_worker.media.gathering import NONE, Gallery, Pictures
from supervisor_worker.replies import command_for, opening, sms_length, sms_text

LOG: Final = telemetry.logger(__name__)
_NOT_WITH_PICTURES: Final = (400, 413)


class Thinker(Protocol):
    """Who answers: `supervisor_worker.claude.Claude`."""

    async def think(self, question: Question) -> Answer:
        """Raises a ProviderError."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


@dataclass(frozen=True, slots=True)
class Thought:
    """A reply before it is stored, with the figures that go to its record and to the ledger."""

    command: Response
    figures: dict[str, int | str]


class NoBudget(Exception):
    """The model fails, and its retry budget is spent: it is not asked for now."""


@dataclass(frozen=True)
class Thinking:
    """What thinking needs."""

    settings: Settings
    users: Users
    thinker: Thinker
    gallery: Gallery
    budget: RetryBudget

    async def about(self, turn: Turn, events: Sequence[Received]) -> Thought:
        """The reply to one turn; `events` are its messages', none missing. Raises a ProviderError or NoBudget."""
        last = events[-1]
        if turn.messages[0].kind == "notice":
            code = turn.messages[0].notice
            said = opening if code in sentences.ELSEWHERE else command_for
            return Thought(said(last, sentences.notice(code), turn.reply_id), {})
        async with self.gallery.pictures(events) as pictures:
            answers, shown = await self._answers_within_budget(turn, events, pictures)
        command = command_for(last, answers[-1].text, turn.reply_id)
        if not conversation.text_of(command):
            raise ProviderRefused(PROVIDER, "empty_text", final=False)
        return Thought(command, {**_figures(answers), **({"pictures": shown} if shown else {})})

    async def _answers_within_budget(self, turn: Turn, events: Sequence[Received], pictures: Pictures) -> tuple[list[Answer], int]:
        """Messages about which the model was asked before, and failed, are a retry."""
        retry = any(message.asked or message.errors for message in turn.messages)
        if not retry:
            self.budget.first()
        elif not self.budget.take():
            raise NoBudget
        try:
            answers = await self._answers(turn, events, pictures)
        except ProviderUnavailable:
            self.budget.failed()
            raise
        self.budget.taken(retry=retry)
        return answers

    async def _answers(self, turn: Turn, events: Sequence[Received], pictures: Pictures) -> tuple[list[Answer], int]:
        """One answer, or two: a text message that came out too long is asked for again, once. And how many pictures were shown."""
        last = events[-1]
        question = self._question(turn, events, pictures)
        try:
            answers = [await self.thinker.think(question)]
        except ProviderRefused as error:
            if not (pictures and error.status in _NOT_WITH_PICTURES):
                raise
            LOG.warning("A turn's pictures were refused", action="pictures_refused", turn=turn.id, code=error.code, pictures=len(pictures))
            return await self._answers(turn, events, NONE)
        if isinstance(last, SmsReceived) and sms_length(sms_text(answers[0].text)) > SMS_LIMIT:
            answers.append(await self.thinker.think(question.shorter(answers[0].text)))
        return answers, len(pictures)

    def _question(self, turn: Turn, events: Sequence[Received], pictures: Pictures) -> Question:
        last = events[-1]
        return conversation.question(
            "sms" if isinstance(last, SmsReceived) else "email",
            events,
            [said for said in turn.history if _user_of(said) == last.user],
            pictures,
            user=self.users.named(last.user),
            now=datetime.now(UTC),
            history_tokens=self.settings.history_tokens,
        )


def _user_of(said: Message | Reply) -> str:
    """Whose a line of the history is. A number may have changed hands, and records of older versions do not say it to the script."""
    if isinstance(said, Reply):
        return said.command.user
    return said.event.user if said.event else ""


def _figures(answers: Sequence[Answer]) -> dict[str, int | str]:
    return {
        "model": answers[-1].model,
        "stop": answers[-1].stop,
        "calls": len(answers),
        "input_tokens": sum(answer.input_tokens for answer in answers),
        "output_tokens": sum(answer.output_tokens for answer in answers),
        "cache_read_tokens": sum(answer.cache_read_tokens for answer in answers),
        "ms": sum(answer.ms for answer in answers),
    }
