"""What a turn has done, stored step by step: the model's answers that ask for tools, and the results of these.

A name stands for one step for ever: `answer:2` is the second answer, `result:2:toolu_1` what came of a call in it. So whoever goes on
behind a crash asks nothing again that was answered, and changes nothing twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.errors import LeaseLost
from shared.mailbox import AsyncMailbox
from shared.mailbox.call import Call
from shared.mailbox.calls import (
    NO_EFFECT,
    NO_NEXT_CALL,
    Calling,
    Effect,
    Figures,
    NextCall,
    Settled,
    Step,
    TurnHolder,
    called,
    calling,
    step,
)
from shared.model.approvals import ApprovalCall
from shared.model.events import EmailReceived, Received, SmsReceived
from shared.model.threads import MADE_ID
from supervisor_worker.assistant.claude.client import ModelAnswer


class TurnStopped(Exception):
    """Nothing further may begin: `reason` is `opted_out`, `paused`, `handed_over`, `priority` (something is served before), or `gone`.

    `gone`: the question cannot be asked again as it was. `outside`: what came of a call is not known before `wait_ms` have passed.
    """

    def __init__(self, reason: str, wait_ms: int = 0) -> None:
        self.reason = reason
        self.wait_ms = wait_ms
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model asks for in its answer `number` (from 1)."""

    number: int
    id: str
    name: str
    arguments: Mapping[str, Any]

    @property
    def key(self) -> str:
        """What its result is stored under: a model may give an id twice, in two answers."""
        return f"{self.number}:{self.id}"


class TurnSteps:
    """The steps of one turn, while its lease is held."""

    def __init__(
        self, mailbox: AsyncMailbox, holder: TurnHolder, stored: Mapping[str, str], approved: Sequence[ApprovalCall] = ()
    ) -> None:  # fmt: skip
        """`stored` are those of before, as JSON by their names; `approved` are the calls that the turn begins with."""
        self.holder = holder
        self._mailbox = mailbox
        self._steps: dict[str, dict[str, Any]] = {name: json.loads(entry) for name, entry in stored.items()}
        self._waits = False
        self.has_reserved = False
        """Whether the latest step has reserved for the question that follows it."""
        self.approved = {f"0:{place}": call for place, call in enumerate(approved, 1)}
        """By their keys."""

    @property
    def mailbox(self) -> AsyncMailbox:
        """Where the steps are stored."""
        return self._mailbox

    @property
    def answers(self) -> list[dict[str, Any]]:
        """The answers so far, in their order."""
        found: list[dict[str, Any]] = []
        while (entry := self._steps.get(f"answer:{len(found) + 1}")) is not None:
            found.append(entry)
        return found

    @property
    def question(self) -> Mapping[str, Any] | None:
        """What the first question was made of; None for a turn without a step."""
        first = self._steps.get("answer:1")
        return first["question"] if first else None

    def calls(self) -> Iterator[tuple[ToolCall, dict[str, Any] | None]]:
        """All calls, in their order, with what came of each; None where nothing did yet. Approved ones come before those of answers."""
        for place, approved in enumerate(self.approved.values(), 1):
            call = ToolCall(0, str(place), approved.tool, approved.arguments)
            yield call, self.result(call)
        for number, answer in enumerate(self.answers, 1):
            for call in tool_calls(number, answer["content"]):
                yield call, self.result(call)

    def has_begun(self, call: ToolCall) -> bool:
        """Whether a call outside may have been made, by an earlier holder or by this one."""
        return f"calling:{call.key}" in self._steps

    def result(self, call: ToolCall) -> dict[str, Any] | None:
        """What came of a call."""
        return self._steps.get(f"result:{call.key}")

    async def store_answer(self, entry: Mapping[str, Any], figures: Figures, settled: Settled) -> None:
        """Store the next answer, which asks for tools. Raises TurnStopped or LeaseLost, for another reason than `priority`."""
        name = f"answer:{len(self.answers) + 1}"
        cost = {"micros": settled.cost} if settled.cost is not None else {}
        await self._store(name, step(self.holder, name, entry, figures={**figures, **cost}, settled=settled))

    async def store_result(
        self, call: ToolCall, entry: Mapping[str, Any], effect: Effect = NO_EFFECT, upcoming: NextCall = NO_NEXT_CALL
    ) -> dict[str, Any]:
        """Store what came of a call, or what its effect says; the answer is what counts. Raises TurnStopped or LeaseLost.

        For the `upcoming` question is reserved in the same step, where it may begin and there is room.
        """
        name, figures = f"result:{call.key}", dict[str, int | str](tool=call.name)
        if "error" in entry:
            figures["error"] = 1
        return await self._store(name, step(self.holder, name, entry, effect=effect, figures=figures, upcoming=upcoming))

    async def calling(self, call: ToolCall, wait_ms: int, *, repeatable: bool, needs: str = "") -> Calling:
        """Ask whether a call outside may be made; a result that is there already is known then. Raises TurnStopped or LeaseLost."""
        asked = calling(self.holder, call.key, wait_ms=wait_ms, repeatable=repeatable, figures={"tool": call.name}, needs=needs)
        permit = await self._mailbox.run(asked)
        if permit.outcome == "done":
            self._steps[f"result:{call.key}"] = json.loads(permit.entry)
        _check(permit.outcome, self.holder.conversation)
        return permit

    async def called(self, call: ToolCall, entry: Mapping[str, Any], figures: Figures) -> None:
        """Record what came of a call outside, whoever holds the lease now."""
        if stands := await self._mailbox.run(called(self.holder.turn, call.key, entry, figures)):
            self._steps[f"result:{call.key}"] = json.loads(stands)

    def step_aside(self) -> None:
        """Before a question: raises TurnStopped where something waits that is served first."""
        if self._waits:
            raise TurnStopped("priority")

    async def _store(self, name: str, stored: Call[Step]) -> dict[str, Any]:
        answer = await self._mailbox.run(stored)
        if answer.entry:
            self._steps[name] = json.loads(answer.entry)
        self._waits, self.has_reserved = answer.priority_waits, answer.reserved == "ok"
        _check(answer.outcome, self.holder.conversation)
        return self._steps[name]


def _check(outcome: str, conversation: str) -> None:
    if outcome in ("lost", "erased"):
        raise LeaseLost(conversation)
    if outcome in ("handed_over", "opted_out", "paused"):
        raise TurnStopped(outcome)


def may_act(events: Iterable[Received]) -> bool:
    """Whether messages may have tools called: each came with an id by which it is known when it comes again.

    A bridge client of the first dialect gives none, and answers by itself what takes long.
    """
    return all(_is_identified(event) for event in events)


def _is_identified(event: Received) -> bool:
    if isinstance(event, SmsReceived):
        return event.provider_id != "" or event.briefing
    return not (isinstance(event, EmailReceived) and event.message_id.endswith(MADE_ID))


def tool_calls(number: int, content: Sequence[Mapping[str, Any]]) -> list[ToolCall]:
    """The calls of an answer."""
    blocks = [block for block in content if block.get("type") == "tool_use"]
    return [ToolCall(number, str(block.get("id")), str(block.get("name")), _arguments(block.get("input"))) for block in blocks]


def has_calls(parts: Sequence[ModelAnswer]) -> bool:
    """Whether an answer, in its parts, calls a tool."""
    return any(block.get("type") == "tool_use" for part in parts for block in part.content)


def _arguments(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
