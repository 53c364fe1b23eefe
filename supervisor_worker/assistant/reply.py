"""From a turn's messages to the reply that will be stored: a fixed text for a notice, the model's answer for everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Final

from shared.config.settings import Settings
from shared.errors import LeaseLost, ProviderError, ProviderRefused, ProviderUnavailable
from shared.mailbox.calls import NOTHING_KNOWN, PersonMemory, keep_read, memory_of
from shared.mailbox.records import Message, Turn
from shared.model.events import EmailReceived, Received, Response
from shared.model.users import Users
from shared.model.withheld import DIGEST
from shared.model.words import said
from shared.observability import logs
from supervisor_worker.assistant import approval_texts, forwarded, notices, other_chats, prompt_cache, web_tools
from supervisor_worker.assistant.asking import NOTHING_ASKED
from supervisor_worker.assistant.claude.client import PROVIDER, ModelAnswer
from supervisor_worker.assistant.file_notes import not_kept, unheard
from supervisor_worker.assistant.generated import COMPLETE, CUT, TOOL_USE, GeneratedReply, GeneratedText, ReplyTarget
from supervisor_worker.assistant.hearing import NO_TOKENS, Hearing
from supervisor_worker.assistant.history import ShownHistory
from supervisor_worker.assistant.model_choice import chosen
from supervisor_worker.assistant.model_hosts import sees
from supervisor_worker.assistant.prompt import Prompt, build_prompt
from supervisor_worker.assistant.receipts import says_no_more
from supervisor_worker.assistant.reservations import ModelCallDenied, ModelCalls
from supervisor_worker.assistant.second_model import SecondModel
from supervisor_worker.assistant.shown_files import ShownFiles
from supervisor_worker.assistant.time_notes import time_of, zone
from supervisor_worker.assistant.tool_loop import ToolLoop
from supervisor_worker.assistant.tools.catalog import TOOLS
from supervisor_worker.assistant.tools.memory import FACTS_BYTES
from supervisor_worker.assistant.turn_steps import TurnSteps, has_calls
from supervisor_worker.assistant.turn_tools import TurnTools
from supervisor_worker.assistant.whole_answers import WholeAnswers
from supervisor_worker.channels.formats import configured, name_of_boss
from supervisor_worker.channels.markdown.escapes import as_letters
from supervisor_worker.media.transcription import Transcriber
from supervisor_worker.media.turn_files import FileLoader, LoadedFiles
from supervisor_worker.media.turn_media import MediaLoader
from supervisor_worker.providers.retry_budget import RetryBudget

LOG: Final = logs.logger(__name__)
_WRONG: Final = 400
_PICTURES_REFUSED: Final = (400, 413)


@dataclass(frozen=True, slots=True)
class Asking:
    """What a turn is asked about, for which reply, by which calls; `steps` is where its steps are stored, None for one without tools.

    `history` is what the question shows of what was said before, `remembered` what is known of the person beside the conversation. `web`:
    whether the web tools may be offered.
    """

    turn: Turn
    events: Sequence[Received]
    history: ShownHistory
    target: ReplyTarget
    calls: ModelCalls
    steps: TurnSteps | None
    remembered: PersonMemory
    web: bool = True


class RetryBudgetSpent(Exception):
    """The model fails, and its retry budget is spent: it is not asked now."""


@dataclass(frozen=True)
class ReplyGenerator:
    """Generates the replies of one worker process.

    `budget` is the model's retry budget, `transcriber` who hears recordings, None where nobody does; `turn_tools` makes the tools.
    """

    settings: Settings
    users: Users
    media_loader: MediaLoader
    budget: RetryBudget
    file_loader: FileLoader
    transcriber: Transcriber | None = None
    turn_tools: TurnTools | None = None

    @cached_property
    def answers(self) -> WholeAnswers:
        """How answers are got from the model, or from the second one."""
        return WholeAnswers(self.settings, SecondModel(self.settings))

    async def generate(
        self, turn: Turn, events: Sequence[Received], history: ShownHistory, calls: ModelCalls, steps: TurnSteps | None = None
    ) -> GeneratedReply | None:  # fmt: skip
        """The reply of one turn; None where the model has nothing to say. `events` are the turn's messages, none missing.

        `history` is what the question shows of what was said before. `steps` is where the steps are stored; without it the model gets
        no tools. Raises a ProviderError, ModelCallDenied, TurnStopped, RetryBudgetSpent or LeaseLost.
        """
        last, target = events[-1], self._target(events[-1], turn.reply_id)
        language = target.language
        if turn.messages[0].kind == "notice":
            command = await self._owed(turn.messages[0], target, calls) or self._notice(turn.messages[0], target)
            # The history knows a digest by what it answers.
            by_code = {} if turn.messages[0].notice == DIGEST else {"by_code": 1, **_naming(last)}
            return GeneratedReply(command, {**by_code, **target.form.figures(command)})
        above = forwarded.above(last, language) if last.forwarding else ""
        heard = {(message.id, name) for message in turn.messages for name in message.heard}
        hear = Hearing(self.transcriber, self.settings, calls).hear if self.transcriber else None
        async with (
            self.media_loader.media(events, known=heard, sounds=hear is not None) as media,
            self.file_loader.files(turn.messages, media, hear) as files,
        ):
            await self._keep_read(turn, files, calls)
            shown = ShownFiles(media.pictures, files)
            if not sees(self.settings, chosen(self.settings, last.channel, self.users.with_id(last.user)).model):
                shown = shown.as_text
            not_heard = unheard(files, language, forwarded=bool(last.forwarding))
            if not_heard and _nothing_else(events, files):
                return await self.by_code(last, turn.reply_id, not_heard)
            remembered = await self._remembered(turn, last.user, calls, steps)
            asking = Asking(turn, events, history, target, calls, steps, remembered)
            generated, shown, loop = await self._within_budget(asking, shown)
        # Ours comes first: of a text that is too long the end is cut.
        own, behind = "" if generated.empty else generated.text, not_kept(events, language)
        done, own, told = _told(loop, own, last.channel)
        asked = await loop.asked(turn, last, _joined(above, not_heard, done)) if loop else NOTHING_ASKED
        before = _joined(above, not_heard, done, asked.text)
        if above and not (not_heard or own or behind):
            behind = forwarded.nothing_to_say(language)
        text = _joined(before, own, behind)
        if not text:
            return None
        if own and (lines := self._sources(generated, last, steps)):
            cited = await target.command(_joined(text, lines))
            if not target.form.ask_shorter(cited):  # where there is room
                behind, text = _joined(behind, lines), _joined(text, lines)
        command = generated.command if text == generated.text else await target.command(text)
        if not asked.is_read_in(command):  # of a text the end is cut, and never the question
            command = await target.command(before)
        by_code = {"by_code": 1} if generated.by_code or not own else await _by_code(target, command, before, behind)
        by_web = any(web_tools.shows_others(answer.content) for answer in generated.answers)
        mixed = {"mixed": 1} if by_web or generated.prompt.mixed or (loop and loop.mixed) else {}
        naming = {"names_others": 1} if by_web else _naming(last)
        mixed |= {"receipts": told} if told else {}
        figures = {**_figures(generated.answers), **shown.figures, **target.form.figures(command), **by_code, **naming, **mixed}
        return GeneratedReply(command, figures, asked)

    async def by_code(self, event: Received, reply_id: str, text: str) -> GeneratedReply:
        """A reply that is a text of ours and nothing else; of a mail by a forwarding address it says what came."""
        target = self._target(event, reply_id)
        command = await target.command(_joined(forwarded.above(event, target.language) if event.forwarding else "", text))
        return GeneratedReply(command, {"by_code": 1, **_naming(event), **target.form.figures(command)})

    async def unfinished(self, turn: Turn, steps: TurnSteps) -> GeneratedReply | None:
        """The reply, by code, of a turn that cannot go on: what it has done, and a sentence. None where it has done nothing."""
        event = next((message.event for message in reversed(turn.messages) if message.event is not None), None)
        if event is None or self.turn_tools is None or (steps.question is None and not steps.approved):
            return None
        loop = self.turn_tools.loop(TOOLS, turn, event, steps, mixed=bool(steps.question and steps.question["mixed"]))
        done = loop.receipts(ended=True)
        if not done:
            return None
        text = _joined(_lines(done), said(notices.UNFINISHED, self.users.language(event.user)))
        generated = await self.by_code(event, turn.reply_id, text)
        return replace(generated, figures={**generated.figures, "receipts": len(done), **({"mixed": 1} if loop.mixed else {})})

    def _sources(self, generated: GeneratedText, event: Received, steps: TurnSteps | None) -> str:
        """What code says of the pages that the answer rests on."""
        contents = [*(answer["content"] for answer in (steps.answers if steps else ())), *(answer.content for answer in generated.answers)]
        return web_tools.source_lines(web_tools.sources(contents), event.channel, self.users.language(event.user))

    def _target(self, event: Received, reply_id: str) -> ReplyTarget:
        user = self.users.with_id(event.user)
        return ReplyTarget(event, configured(self.settings, user)[event.channel], reply_id, self.users.language(event.user))

    async def _keep_read(self, turn: Turn, files: LoadedFiles, calls: ModelCalls) -> None:
        """What was read in the files stays with their messages, before anything is asked: a later try may not have the files any more."""
        for message in turn.messages:
            extracts = files.extracts(message.id)
            if extracts and extracts != message.extracts:
                call = keep_read(calls.conversation, calls.token, message.id, extracts)
                if await calls.mailbox.run(call) == "lost":
                    raise LeaseLost(calls.conversation)

    async def _owed(self, message: Message, target: ReplyTarget, calls: ModelCalls) -> Response | None:
        """What was done for somebody who had opted out before they could be told: code's part of the reply that was not sent."""
        reply = await calls.mailbox.reply(message.rest) if message.notice == notices.OWED else None
        return await target.command(reply.command.written[: reply.code_before or None]) if reply else None

    def _notice(self, message: Message, target: ReplyTarget) -> Response:
        code, event, form = message.notice, target.event, target.form
        until = datetime.fromtimestamp(message.until / 1000, zone(self.users.with_id(event.user)))
        if isinstance(event, EmailReceived) and event.via:
            named, text = forwarded.notice(message, event, until, target.language)
            return form.reply(named, text, target.reply_id)
        compose = form.opening if notices.is_elsewhere(code) else form.reply
        return compose(event, notices.notice(code, until, target.language), target.reply_id)

    async def _within_budget(self, asking: Asking, shown: ShownFiles) -> tuple[GeneratedText, ShownFiles, ToolLoop | None]:
        """A turn about which the model was asked before, in vain, is a retry."""
        retry = any(message.asked or message.errors for message in asking.turn.messages)
        if not retry:
            self.budget.first()
        elif not self.budget.take():
            raise RetryBudgetSpent
        try:
            generated = await self._generate(asking, shown)
        except ProviderUnavailable:
            self.budget.failed()
            raise
        self.budget.succeeded(retry=retry)
        return generated

    async def _generate(self, asking: Asking, shown: ShownFiles) -> tuple[GeneratedText, ShownFiles, ToolLoop | None]:
        """The model's text, what it was shown beside the texts, and what it has done.

        An empty answer is asked for once more, and so is one that is too long for its channel. A turn whose pictures or documents the model
        refuses, or for whose documents the day has no tokens left, is asked again without them; not behind its first step.
        """
        turn = asking.turn
        prompt, loop = await self._first(asking, shown)
        try:
            generated = await self._ask(await loop.begin(prompt) if loop else prompt, asking, loop)
        except ProviderRefused as error:
            if prompt.tools and error.status == _WRONG and not (loop and loop.has_begun):
                LOG.warning("The web tools may have been refused: look at the Console", action="web_refused", turn=turn.id, code=error.code)
                return await self._generate(replace(asking, web=False), shown)
            if not (shown.count and error.status in _PICTURES_REFUSED) or (loop and loop.has_begun):
                raise
            LOG.warning("A turn's pictures were refused", action="pictures_refused", turn=turn.id, code=error.code, pictures=shown.count)
            return await self._generate(asking, shown.as_text)
        except ModelCallDenied as denied:
            if prompt.tools and denied.reason in NO_TOKENS and not (loop and loop.has_begun):
                LOG.warning("There are no tokens for the web", action="web_not_paid", turn=turn.id, reason=denied.reason)
                return await self._generate(replace(asking, web=False), shown)
            if not (shown.from_files and denied.reason in NO_TOKENS) or (loop and loop.has_begun):
                raise
            LOG.warning("There are no tokens for a turn's files", action="files_not_paid", turn=turn.id, reason=denied.reason)
            return await self._generate(asking, ShownFiles(shown.pictures, shown.files.as_text))
        if generated.half_call or (generated.empty and not (loop and loop.has_said)):
            generated = await self._ask_again(generated, asking, loop)
        if ask := asking.target.form.ask_shorter(generated.command):
            generated = await self._ask_shorter(ask, generated, asking)
        return generated, shown, loop

    async def _first(self, asking: Asking, shown: ShownFiles) -> tuple[Prompt, ToolLoop | None]:
        """The first question and its tools; calls that were approved are made before. Raises TurnStopped or LeaseLost."""
        turn, steps, tools = asking.turn, asking.steps, self.turn_tools
        if steps is None or tools is None:
            return self._prompt(asking, shown), None
        if steps.approved:
            await tools.loop(TOOLS, turn, asking.events[-1], steps, mixed=False).make_approved()
        prompt = self._prompt(asking, shown)
        loop = tools.loop(TOOLS, turn, asking.events[-1], steps, mixed=prompt.mixed, source=prompt.source)
        return prompt.saying(loop.approved_notes(turn.claimed_at)) if steps.approved else prompt, loop

    async def _ask(self, prompt: Prompt, asking: Asking, loop: ToolLoop | None = None) -> GeneratedText:
        """One answer, behind the tools that it calls."""
        before: list[ModelAnswer] = []
        while True:
            parts, prompt = await self.answers.whole(prompt, asking.calls)
            if loop is None or not prompt.tools or prompt.final or parts[-1].stop != TOOL_USE or not has_calls(parts):
                break
            before += parts
            prompt = await loop.run(prompt, parts, asking.calls)
        generated = await GeneratedText.of(parts, asking.target, prompt, before)
        if generated.empty and not (loop and loop.has_said):
            asking.calls.not_usable()
        return generated

    async def _ask_again(self, before: GeneratedText, asking: Asking, loop: ToolLoop | None) -> GeneratedText:
        """After an empty answer: ask whether it was meant to be empty, or to think less.

        Raises ProviderRefused, final, for a model that was cut off twice without an answer: more tries would cost as much again.
        """
        try:
            generated = await self._ask(before.prompt.nudged(least=before.stop in CUT or before.half_call), asking, loop)
        except ModelCallDenied:
            if before.stop not in COMPLETE:
                raise
            return before
        generated = replace(generated, answers=(*before.answers, *generated.answers))
        if generated.empty and generated.stop not in COMPLETE:
            raise ProviderRefused(PROVIDER, f"empty_{generated.stop}")
        return generated

    async def _ask_shorter(self, ask: str, before: GeneratedText, asking: Asking) -> GeneratedText:
        """Ask once for a shorter answer. Whatever fails, there is the long one, which will be cut."""
        try:
            generated = await self._ask(before.prompt.shorter(before.text, ask), asking)
        except ProviderUnavailable:
            self.budget.failed()
            return before
        except (ModelCallDenied, ProviderError):
            return before
        return before if generated.empty else replace(generated, answers=(*before.answers, *generated.answers))

    async def _remembered(self, turn: Turn, entry: str, calls: ModelCalls, steps: TurnSteps | None) -> PersonMemory:
        """What is known of the person beside the conversation. A turn that has a step is asked about as it was, with what was known then.

        Of an entry that several people use no other conversation is shown.
        """
        user = self.users.with_id(entry)
        elsewhere = turn.elsewhere and user is not None and not user.shared
        if not (turn.remembers or elsewhere) or (steps is not None and steps.question is not None):
            return NOTHING_KNOWN
        said_bytes = other_chats.RECORD_BYTES if elsewhere else 0
        return await calls.mailbox.run(memory_of(turn.person, calls.conversation, facts_bytes=FACTS_BYTES, said_bytes=said_bytes))

    def _prompt(self, asking: Asking, shown: ShownFiles) -> Prompt:
        turn, last = asking.turn, asking.events[-1]
        events = () if turn.messages[0].kind == "approved" else asking.events  # it has no words: see `ToolLoop.approved_notes`
        user, elsewhere = self.users.with_id(last.user), asking.remembered.elsewhere
        prompt = build_prompt(
            last.channel,
            events,
            asking.history,
            shown.pictures,
            files=shown.files,
            folds={message.id: message.folds or () for message in turn.messages},
            user=user,
            now=datetime.fromtimestamp(turn.claimed_at / 1000, UTC),
            times=[time_of(message) for message in turn.messages] if events else (),
            remembered=asking.remembered.facts,
            elsewhere=[
                *(other_chats.notes_of(elsewhere, zone(user)) if elsewhere else ()),
                *approval_texts.notes_of(asking.remembered.waiting, zone(user)),
            ],
            forms=configured(self.settings, user),
            boss_name=name_of_boss(self.settings, user),
        )
        choice = chosen(self.settings, last.channel, user)
        web = web_tools.offered(self.settings, choice, web_tools.addresses_in(prompt.own)) if asking.web and asking.steps else ()
        return replace(prompt, choice=choice, tools=web, cached=prompt_cache.ttl_of(asking.history.records, turn.claimed_at))


def _told(loop: ToolLoop | None, own: str, channel: str) -> tuple[str, str, int]:
    """What code says of what the turn has done, the model's words unless they only repeat that, and how many things were done."""
    lines = loop.receipts() if loop else []
    if loop is None or not lines:
        return "", own, 0
    if says_no_more(own, lines):
        return _lines(lines), "", len(lines)
    return _lines(loop.receipts(own) if channel == "sms" else lines), own, len(lines)


def _lines(receipts: Sequence[str]) -> str:
    """Receipts as the formats take them: the person's words in them are no Markdown."""
    return "\n".join(map(as_letters, receipts))


def _nothing_else(events: Sequence[Received], files: LoadedFiles) -> bool:
    """Whether the messages are recordings that nobody heard, and nothing that a model could answer."""
    return all(event.is_wordless for event in events) and sum(event.file_count for event in events) == len(files.unheard)


def _joined(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)


async def _by_code(target: ReplyTarget, command: Response, before: str, behind: str) -> dict[str, int]:
    """How many characters of a reply code has put before and behind the model's words: the history shows them as what they are."""
    written, found = command.written, dict[str, int]()
    for name, text, stands in (("code_before", before, written.startswith), ("code_behind", behind, written.endswith)):
        words = (await target.command(text)).written.strip() if text else ""
        if words and stands(words):  # of a reply that was cut the end is not there
            found[name] = len(words)
    return found


def _naming(event: Received) -> dict[str, int]:
    """What code says of a mail by a forwarding address names others as they call themselves."""
    return {"names_others": 1} if event.forwarding else {}


def _figures(answers: Sequence[ModelAnswer]) -> dict[str, int | str]:
    return {
        "model": answers[-1].model,
        "stop": answers[-1].stop,
        "calls": len(answers),
        "input_tokens": sum(answer.input_tokens for answer in answers),
        "output_tokens": sum(answer.output_tokens for answer in answers),
        "cache_read_tokens": sum(answer.cache_read_tokens for answer in answers),
        "ms": sum(answer.ms for answer in answers),
    }
