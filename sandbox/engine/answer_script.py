"""Answers of the model that a test or an operator has written beforehand: each is given once, to the first question that it matches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from sandbox.engine.faults import StrictModel
from sandbox.engine.json_types import JsonObject

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_WAITING: Final = 10_000
"""Answers that may wait."""


class ScriptedCall(StrictModel):
    """A call of a tool."""

    name: str
    input: JsonObject = Field(default_factory=dict)
    id: str | None = None
    """By default a new one each time."""


class ScriptedAnswer(StrictModel):
    """One answer of the model. What is null is left out of it, or is what it would be without a script."""

    thinking: str | None = None
    text: str | None = None
    calls: Annotated[list[ScriptedCall], Field(max_length=100)] = Field(default_factory=list)
    content: list[JsonObject] | None = None
    """The exact content blocks, in place of `thinking`, `text` and `calls`."""
    stop_reason: str | None = None
    """By default `tool_use` with a call, else `end_turn`."""
    stop_details: JsonObject | None = None
    usage: JsonObject = Field(default_factory=dict)
    """Replaces single figures of the usage."""
    match: str | None = None
    """Only for a question that shows this text to the model, in the system prompt or in any message."""
    times: Annotated[int, Field(ge=1)] | None = 1
    """How many questions get it; null is without end."""


class AnswerScriptDocument(StrictModel):
    """What POST /sandbox/script takes, and GET shows: the answers that wait, the next one first."""

    answers: Annotated[list[ScriptedAnswer], Field(max_length=MAX_WAITING)]


@dataclass(slots=True)
class AnswerScript:
    """The answers that wait."""

    answers: list[ScriptedAnswer] = field(default_factory=list)

    def add(self, answers: list[ScriptedAnswer]) -> None:
        """Append answers. Raises ValueError when too many would wait."""
        if len(self.answers) + len(answers) > MAX_WAITING:
            message = f"more than {MAX_WAITING} answers would wait"
            raise ValueError(message)
        self.answers += [answer.model_copy() for answer in answers]

    def pop_matching(self, shown: Callable[[], str]) -> ScriptedAnswer | None:
        """Return the first answer for a question that shows this text, and count it as used once."""
        text = shown() if any(answer.match is not None for answer in self.answers) else ""
        for answer in self.answers:
            if answer.match is None or answer.match in text:
                self._count(answer)
                return answer
        return None

    def _count(self, answer: ScriptedAnswer) -> None:
        if answer.times is None:
            return
        answer.times -= 1
        if answer.times == 0:
            self.answers = [other for other in self.answers if other is not answer]
