"""The loop of a turn: ask, store the answer, run the tools that it asks for, store each result, and ask again.

Only an answer that stopped for its tools runs them. Every call gets a result, also one that is not made. Bounds: MAX_STEPS questions over
all runs of a turn, TURN_SECONDS of work in one run, RESULT_BYTES a result; the last question allows no tool.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from shared.mailbox.calls import NO_NEXT_CALL, Effect, NextCall
from shared.mailbox.records import Turn
from shared.model.approvals import ApprovalCall
from shared.model.events import Received
from shared.model.mcp_tools import cut
from supervisor_worker.assistant import outside_calls, receipts, web_tools
from supervisor_worker.assistant.addresses import texts_in
from supervisor_worker.assistant.approval_texts import of_model
from supervisor_worker.assistant.asking import NOTHING_ASKED, Asked, Questions, WaitingCall
from supervisor_worker.assistant.claude.client import ModelAnswer
from supervisor_worker.assistant.outside_calls import GONE, WAITS, OutsideCalls
from supervisor_worker.assistant.prompt import Prompt
from supervisor_worker.assistant.question import restored, stored
from supervisor_worker.assistant.reservations import ModelCalls
from supervisor_worker.assistant.time_notes import stamp
from supervisor_worker.assistant.tools.catalog import TOOLS, definitions
from supervisor_worker.assistant.tools.tool import Addressed, BadArguments, Look, Result, Tool, ToolContext
from supervisor_worker.assistant.turn_steps import ToolCall, TurnSteps, TurnStopped, tool_calls
from supervisor_worker.channels.marked_text import END
from supervisor_worker.channels.notes import CLOSING, OPENING, note

MAX_STEPS: Final = 8
TURN_SECONDS: Final = 180.0
RESULT_TOKENS: Final = 1_000
"""Reserved for the result of a question's last tool, which is not known yet. Most are a line; for a longer one is reserved once more."""
RESULT_BYTES: Final = 20_000
_REST: Final = "\n" + note("the rest is left out: ask for less")
MAX_CALLS: Final = 16
"""Calls of one answer; what it asks for beyond them is not done."""
TOO_MANY: Final = "Not done: that is more than may be called at once."
UNKNOWN: Final = "Not done: there is no such tool."
APPROVED: Final = "This program had asked for a yes to a call of a tool, got it, and made the call, just as it was asked about"
CAME_OF_IT: Final = "What came of it follows, in words of others"
TELL: Final = "The person was told in a line of this program whether it is done. Say briefly what else matters to them of it, if anything"

UNASKED: Final = (
    "Not done: somebody else wrote this mail. What the person keeps is changed, and anything remembered or begun, only where they ask for "
    "it themselves. Tell them so."
)

UNTOLD: Final = (
    "Not done: what was done so far fills the message that tells the person of it. Tell them what is left; they can ask for the rest."
)
LINE: Final = "x" * 80
"""As long as a receipt without the words of what it tells of."""
MOST_OF_WORDS: Final = 300


@dataclass
class ToolLoop:
    """The tools of one turn, ours and those `outside`, and what it has done with them. `context` is what its tools know.

    `looks` are the effects that change nothing and are no part of the script that stores a result: a crash before it looks once more.
    `has_room` says whether so much fits into the first part of the reply: nothing is done that would be told only to who asks for more.
    `addressed` adds to an effect's arguments where it goes, which no tool names.
    `questions` asks for a yes.
    """

    tools: Sequence[Tool]
    steps: TurnSteps
    context: ToolContext
    outside: OutsideCalls | None = None
    looks: Mapping[str, Look] = field(default_factory=dict)
    has_room: Callable[[str], bool] = lambda _text: True
    addressed: Mapping[str, Addressed] = field(default_factory=dict)
    questions: Questions | None = None
    _until: float = field(default_factory=lambda: time.monotonic() + TURN_SECONDS)

    @property
    def has_begun(self) -> bool:
        """Whether a step is stored."""
        return self.steps.question is not None

    async def begin(self, prompt: Prompt) -> Prompt:
        """The turn's next question: its first one, or, where it has a step, the same again with all results behind it.

        Raises TurnStopped or LeaseLost.
        """
        if self.steps.question is None:
            ours = definitions() if self.tools is TOOLS else tuple(tool.definition for tool in self.tools)
            others = tuple(tool.definition for tool in self.outside.tools) if self.outside else ()
            return replace(prompt, tools=(*ours, *others, *prompt.tools) if others or prompt.tools else ours)
        self.context = replace(self.context, mixed=self.steps.question["mixed"], source=self.steps.question["source"])
        await self.finish_calls()
        again = restored(self.steps.question, prompt)
        if again is None:
            raise TurnStopped("gone")
        return self._continued(again)

    async def run(self, prompt: Prompt, answers: Sequence[ModelAnswer], calls: ModelCalls) -> Prompt:
        """Store an answer (in its parts), run its tools, and return the next question. Raises TurnStopped or LeaseLost.

        The step of the last tool also reserves for that question.
        """
        content = [dict(block) for answer in answers for block in answer.content]
        entry: dict[str, Any] = {"content": content}
        if not self.has_begun:
            entry["question"] = stored(prompt)
        await self.steps.store_answer(entry, _figures(answers), calls.settled)
        await self.finish_calls(prompt, calls)
        return self._continued(prompt)

    async def finish_calls(self, prompt: Prompt | None = None, calls: ModelCalls | None = None) -> None:
        """Run every call that has no result yet; the step of the last one reserves for the question behind `prompt`, where one is given."""
        for place, call in (unfinished := list(self._open())):
            upcoming = NO_NEXT_CALL
            if prompt and calls and call is unfinished[-1][1]:
                upcoming = calls.upcoming(self._continued(prompt), RESULT_TOKENS)
            self.steps.has_reserved = False
            await self._call(call, place, upcoming)
            if calls and self.steps.has_reserved:
                calls.is_reserved(upcoming)
        self.steps.step_aside()

    async def make_approved(self) -> None:
        """Make the calls that the turn begins with, which somebody has said yes to. Raises TurnStopped or LeaseLost."""
        for place, call in self._open():
            if call.key in self.steps.approved:
                await self._call(call, place)

    def _open(self) -> Iterator[tuple[int, ToolCall]]:
        places: dict[int, int] = {}
        for call, result in list(self.steps.calls()):
            places[call.number] = places.get(call.number, 0) + 1
            if result is None:
                yield places[call.number], call

    @property
    def mixed(self) -> bool:
        """Whether the turn has been shown words that the person did not write: those of the web, of a program outside, what is marked."""
        results = (entry for _, entry in self.steps.calls() if entry is not None)
        return (
            self.context.mixed
            or any(web_tools.shows_others(answer["content"]) for answer in self.steps.answers)
            or any("outside" in entry or _is_marked(entry) for entry in results)
        )

    async def _call(self, call: ToolCall, place: int, upcoming: NextCall = NO_NEXT_CALL) -> None:
        approved = self.steps.approved.get(call.key)
        if approved and self._named(call.name) is None:
            await self._call_approved(call, approved)
            return
        if not approved and self.outside and place <= MAX_CALLS and self.outside.named(call.name):
            refusal = UNASKED if self.context.unasked else UNTOLD if self._is_full(()) else ""
            await self.outside.make(self.steps, call, self._until - time.monotonic(), mixed=self.mixed, refusal=refusal)
            return
        tool = self._named(call.name)
        refusal = "" if approved else self._refusal(tool, place)
        if tool is None or refusal:
            await self.steps.store_result(call, {"tool": call.name, "error": refusal}, upcoming=upcoming)
            return
        try:
            arguments = tool.prepare(call.arguments, self.context)
        except BadArguments as error:
            await self.steps.store_result(call, {"tool": call.name, "error": error.sentence}, upcoming=upcoming)
            return
        if held := self._held(tool, arguments, approved):
            await self.steps.store_result(call, held, upcoming=upcoming)
            return
        if addressed := self.addressed.get(tool.effect):
            arguments = addressed(arguments, call.key)
        if look := self.looks.get(tool.effect):
            await self.steps.store_result(call, {"tool": tool.effect, "result": await look(arguments)}, upcoming=upcoming)
            return
        marked = self.mixed or bool(approved and approved.marked)
        effect = Effect(tool.effect, call.key, arguments, marked, self.context.channel, self.context.zone.key)
        await self.steps.store_result(call, {}, effect, upcoming)

    def _held(self, tool: Tool, arguments: object, approved: ApprovalCall | None) -> dict[str, Any] | None:
        """What is stored of a call that is not made for now: there is no room to tell of it, or it waits for a yes."""
        if tool.changes and self._is_full(arguments):
            return {"tool": tool.name, "error": UNTOLD}
        return {"waits": tool.name, "text": WAITS} if tool.needs_own_words and self.mixed and not approved else None

    async def _call_approved(self, call: ToolCall, approved: ApprovalCall) -> None:
        if self.outside is None:
            await self.steps.store_result(call, {"refused": call.name, "error": GONE})
        else:
            await self.outside.make_approved(self.steps, call, approved, self._until - time.monotonic())

    def waiting(self) -> list[WaitingCall]:
        """The calls that wait for a yes, each once, in the order in which they were asked for; those beyond MAX_CALLS are left out."""
        ours = (
            WaitingCall(ApprovalCall(call.name, call.arguments, marked=True))
            for call, entry in self.steps.calls()
            if entry and "waits" in entry and self._named(call.name)
        )
        found: list[WaitingCall] = []
        for each in (*ours, *(self.outside.waiting(self.steps) if self.outside else ())):
            if each not in found:
                found.append(each)
        return found[:MAX_CALLS]

    async def asked(self, turn: Turn, last: Received, before: str) -> Asked:
        """What the turn asks for a yes to, below what stands `before` it in the reply to its newest message. Raises RedisError."""
        waiting = self.waiting()
        if self.questions is None or not waiting:
            return NOTHING_ASKED
        return await self.questions.ask(waiting, turn, last, before, self.steps.mailbox)

    @property
    def has_said(self) -> bool:
        """Whether code has something to say of the turn, so that the model need not."""
        return bool(self.receipts() or self.waiting())

    def approved_notes(self, now_ms: int) -> str:
        """What the model is shown of the calls that the turn begins with: what was approved, and what came of it."""
        parts = [stamp(now_ms, self.context.zone)]
        for call, entry in self.steps.calls():
            if entry is not None and call.key in self.steps.approved:
                parts += [note(APPROVED), of_model(self.steps.approved[call.key]), note(CAME_OF_IT), self._words(call, entry), note(END)]
        return "\n".join([*parts, note(TELL)])

    def _named(self, name: str) -> Tool | None:
        return next((tool for tool in self.tools if tool.name == name), None)

    def _refusal(self, tool: Tool | None, place: int) -> str:
        """Why a call is not made, for the model; "" where it may be."""
        if place > MAX_CALLS:
            return TOO_MANY
        if tool is None:
            return UNKNOWN
        return UNASKED if self.context.unasked and (tool.changes_kept or tool.needs_own_words) else ""

    def _is_full(self, arguments: object) -> bool:
        """Whether the receipts so far leave no room for that of a call with these arguments; the first always has it."""
        done = self.receipts()
        return bool(done) and not self.has_room("\n".join([*done, LINE + " ".join(texts_in(arguments))[:MOST_OF_WORDS]]))

    def receipts(self, own: str = "", *, ended: bool = False) -> list[str]:
        """One line for each thing that was changed, or was to be, in the order in which it was asked for.

        Left out is what a sentence of the model's `own` words says as well. `ended`: the turn goes no further. Then nobody is asked for a
        yes, and what came of a call that was begun is not known.
        """
        found = ((call, self._ended(call, entry) if ended else entry) for call, entry in self.steps.calls())
        told = [(call, entry) for call, entry in found if entry is not None and "waits" not in entry]
        return receipts.in_order([(call.name, self._receipt(call, entry, own), not _is_ours_undone(entry)) for call, entry in told])

    def _ended(self, call: ToolCall, entry: dict[str, Any] | None) -> dict[str, Any] | None:
        """What a call has come to in a turn that goes no further."""
        if entry is None:
            return outside_calls.of_unknown_fate(call.name) if self.steps.has_begun(call) else None
        if "waits" not in entry:
            return entry
        return {"tool" if self._named(call.name) else "refused": call.name, "error": WAITS}

    def _receipt(self, call: ToolCall, entry: dict[str, Any], own: str) -> str:
        if "outside" in entry or "refused" in entry:
            return outside_calls.receipt(entry, self.context.language)
        tool = self._named(call.name)
        if "error" in entry:
            return receipts.not_done(call.name, self.context.language) if tool is None or tool.changes else ""
        if tool is None or (own and receipts.says(own, tool.name, entry["result"], self.context.language)):
            return ""
        return tool.receipt(entry["result"], self.context)

    def _continued(self, prompt: Prompt) -> Prompt:
        """The question with all answers and results so far behind it."""
        exchanges = []
        for number, answer in enumerate(self.steps.answers, 1):
            results = [self._told(call) for call in tool_calls(number, answer["content"])]
            exchanges.append((answer["content"], results))
        final = len(exchanges) >= MAX_STEPS - 1 or time.monotonic() > self._until
        tools = prompt.tools
        if any(web_tools.is_web(tool) for tool in tools):
            tools = web_tools.left((self.steps.question or {})["tools"], (content for content, _ in exchanges))
        return replace(prompt, tools=tools, exchanges=tuple(exchanges), partial_answers=(), after=(), least=False, final=final)

    def _told(self, call: ToolCall) -> dict[str, Any]:
        entry = self.steps.result(call) or {"error": UNKNOWN}
        block: dict[str, Any] = {"type": "tool_result", "tool_use_id": call.id, "content": self._words(call, entry)}
        return {**block, "is_error": True} if "error" in entry else block

    def _words(self, call: ToolCall, entry: Mapping[str, Any]) -> str:
        if "error" in entry:
            return str(entry["error"])
        if "outside" in entry or "waits" in entry:
            return str(entry["text"])
        tool = self._named(call.name)
        result: Result = entry["result"]
        return bounded(tool.told(result, self.context)) if tool else "Done."


def bounded(told: str) -> str:
    """What a tool of ours tells the model, in RESULT_BYTES: whole lines, and a note where some are left out.

    No note of ours is cut, and where what comes from others begins, its end is said.
    """
    if len(told.encode("utf-8", "replace")) <= RESULT_BYTES:
        return told
    end = "\n" + note(END)
    kept = cut(told, RESULT_BYTES - len((end + _REST).encode()))
    kept = kept[: kept.rfind("\n")] if "\n" in kept else kept
    if kept.rfind(OPENING) > kept.rfind(CLOSING):
        kept = kept[: kept.rfind(OPENING)]
    return kept + (end if kept.count(note(END)) < told.count(note(END)) else "") + _REST


def _is_ours_undone(entry: Mapping[str, Any]) -> bool:
    """Whether a tool of ours was refused: of a call outside each one is told."""
    return "error" in entry and not ("outside" in entry or "refused" in entry)


def _is_marked(result: object) -> bool:
    """Whether a tool's result shows something that was made of words of others."""
    if isinstance(result, dict):
        return result.get("marked") is True or any(_is_marked(value) for value in result.values())
    return isinstance(result, list) and any(_is_marked(value) for value in result)


def _figures(answers: Sequence[ModelAnswer]) -> dict[str, int | str]:
    return {
        "model": answers[-1].model,
        "input_tokens": sum(answer.input_tokens for answer in answers),
        "output_tokens": sum(answer.output_tokens for answer in answers),
        "ms": sum(answer.ms for answer in answers),
    }
