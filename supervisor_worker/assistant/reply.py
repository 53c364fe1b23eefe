"""From a turn's messages to the reply that will be stored: a fixed sentence for a notice, the model's answer for everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from shared.config.settings import Settings
from shared.errors import ProviderError, ProviderRefused, ProviderUnavailable
from shared.mailbox.records import Message, Reply, Turn
from shared.model.events import Received, Response
from shared.model.users import Users
from shared.observability import logs as telemetry
from supervisor_worker.assistant import notices as sentences
from supervisor_worker.assistant import prompt as conversation
from supervisor_worker.assistant.claude.client import PROVIDER, Answer
from supervisor_worker.assistant.prompt import Question
from supervisor_worker.assistant.reservations import NotAsked, Questions
from supervisor_worker.channels import formats
from supervisor_worker.channels.formats import FORMATS
from supervisor_worker.channels.truncation import cut_short
from supervisor_worker.media.turn_pictures import NO_PICTURES, PictureLoader, Pictures
from supervisor_worker.providers.retry_budget import RetryBudget

LOG: Final = telemetry.logger(__name__)
MAX_PAUSES: Final = 3
CUT: Final = ("max_tokens", "model_context_window_exceeded")
"""Reasons to stop of a model that had more to say, or had not begun to."""
MEANT: Final = ("end_turn", "stop_sequence")
"""Those of a model that has said what it had to say."""
_NOT_WITH_PICTURES: Final = (400, 413)


@dataclass(frozen=True, slots=True)
class Thought:
    """A reply before it is stored, with the figures that go to its record and to the ledger."""

    command: Response
    figures: dict[str, int | str]


@dataclass(frozen=True, slots=True)
class Said:
    """What the model said, made ready for its reader, and the answers that it is made of. `empty`: nothing would be left of it there."""

    text: str
    stop: str
    empty: bool
    answers: tuple[Answer, ...]

    @classmethod
    def of(cls, answers: Sequence[Answer], event: Received) -> Said:
        """Of the parts of one answer to `event`."""
        text, stop = "".join(answer.text for answer in answers).strip(), answers[-1].stop
        if stop == "refusal":
            text = sentences.REFUSED  # what came before a refusal is not meant to be read
        elif stop in CUT:
            text = cut_short(text)
        return cls(text, stop, not formats.reply(event, text, "").text, tuple(answers))


class NoBudget(Exception):
    """The model fails, and its retry budget is spent: it is not asked for now."""


@dataclass(frozen=True)
class Thinking:
    """What thinking needs."""

    settings: Settings
    users: Users
    questions: Questions
    picture_loader: PictureLoader
    budget: RetryBudget

    async def about(self, turn: Turn, events: Sequence[Received]) -> Thought | None:
        """The reply to one turn, None where the model has nothing to say; `events` are its messages', none missing.

        Raises a ProviderError, NotAsked, NoBudget or LeaseLost.
        """
        last = events[-1]
        if turn.messages[0].kind == "notice":
            return Thought(self._notice(turn.messages[0], last, turn.reply_id), {})
        async with self.picture_loader.pictures(events) as pictures:
            said, shown = await self._said_within_budget(turn, events, pictures)
        if said.empty:
            return None
        return Thought(formats.reply(last, said.text, turn.reply_id), {**_figures(said.answers), **({"pictures": shown} if shown else {})})

    def _notice(self, message: Message, event: Received, reply_id: str) -> Response:
        code = message.notice
        until = datetime.fromtimestamp(message.until / 1000, conversation.zone(self.users.named(event.user)))
        form = FORMATS[event.channel]
        compose = form.opening if sentences.is_elsewhere(code) else form.reply
        return compose(event, sentences.notice(code, until), reply_id)

    async def _said_within_budget(self, turn: Turn, events: Sequence[Received], pictures: Pictures) -> tuple[Said, int]:
        """Messages about which the model was asked before, and failed, are a retry."""
        retry = any(message.asked or message.errors for message in turn.messages)
        if not retry:
            self.budget.first()
        elif not self.budget.take():
            raise NoBudget
        try:
            said = await self._said(turn, events, pictures)
        except ProviderUnavailable:
            self.budget.failed()
            raise
        self.budget.succeeded(retry=retry)
        return said

    async def _said(self, turn: Turn, events: Sequence[Received], pictures: Pictures) -> tuple[Said, int]:
        """What the model says, asked twice at most for something to say and once for less of it; and how many pictures were shown."""
        last = events[-1]
        question = self._question(turn, events, pictures)
        try:
            said = await self._ask(question, last)
        except ProviderRefused as error:
            if not (pictures and error.status in _NOT_WITH_PICTURES):
                raise
            LOG.warning("A turn's pictures were refused", action="pictures_refused", turn=turn.id, code=error.code, pictures=len(pictures))
            return await self._said(turn, events, NO_PICTURES)
        if said.empty:
            said = await self._once_more(question, last, said)
        if ask := FORMATS[last.channel].ask_shorter(said.text):
            said = await self._shorter(question.shorter(said.text, ask), last, said)
        return said, len(pictures)

    async def _ask(self, question: Question, event: Received) -> Said:
        """One answer, which may come in parts."""
        answers = [await self.questions.ask(question)]
        while answers[-1].stop == "pause_turn" and len(answers) <= MAX_PAUSES:
            question = question.going_on(answers[-1].content)
            try:
                answers.append(await self.questions.ask(question))
            except NotAsked:  # what has been said so far is the answer
                break
        said = Said.of(answers, event)
        if said.empty:
            self.questions.not_usable()
        return said

    async def _once_more(self, question: Question, event: Received, before: Said) -> Said:
        """An answer without a word is an answer where the model meant it: it is asked once whether it did, or to think less.

        Raises ProviderRefused, final, for a model that has not come to its answer twice: more tries would cost as much again.
        """
        try:
            said = await self._ask(question.nudged(least=before.stop in CUT), event)
        except NotAsked:
            if before.stop not in MEANT:
                raise
            return before
        said = replace(said, answers=(*before.answers, *said.answers))
        if said.empty and said.stop not in MEANT:
            raise ProviderRefused(PROVIDER, f"empty_{said.stop}")
        return said

    async def _shorter(self, question: Question, event: Received, before: Said) -> Said:
        """An answer that is too long for its channel is asked for again, once; whatever comes of that, there is an answer."""
        try:
            said = await self._ask(question, event)
        except (NotAsked, ProviderError) as error:
            if isinstance(error, ProviderUnavailable):
                self.budget.failed()
            return before
        return before if said.empty else replace(said, answers=(*before.answers, *said.answers))

    def _question(self, turn: Turn, events: Sequence[Received], pictures: Pictures) -> Question:
        last = events[-1]
        return conversation.question(
            last.channel,
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
