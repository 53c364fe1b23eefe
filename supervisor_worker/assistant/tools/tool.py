"""A tool of ours: its definition for the model, and pure functions from arguments to effect and from result to words.

Who asks, where and when comes from the turn, never from the model's arguments.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo

Arguments = Mapping[str, Any]
Result = Mapping[str, Any]
"""What an effect returns (`effects.lua`): `ok`, and what it changed, or the `reason` why it did not."""
NO_SCHEMA: Final[Mapping[str, Any]] = {"type": "object", "properties": {}, "additionalProperties": False}


Look = Callable[[Arguments], Awaitable[Result]]
"""What a tool that only looks does in place of an effect: its result, by the arguments that `prepare` made."""


Addressed = Callable[[Arguments, str], Arguments]
"""Adds to the arguments of an effect, and the key of its call, where it goes."""


class BadArguments(Exception):
    """The model's arguments make no sense; `sentence` tells it why."""

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a turn knows: the person's zone, the channel, and when the newest message was received, in ms since the epoch.

    `mixed`: the turn shows words that the person did not write; `source` is who wrote them, "" where that is not known of all. `language`
    is the person's, for what code tells them. `unasked`: a stranger wrote all of it, by a forwarding address, and nobody asks for anything.
    """

    zone: ZoneInfo
    channel: str
    received_ms: int
    mixed: bool = False
    language: str = "en"
    source: str = ""
    unasked: bool = False


def no_receipt(_result: Result, _context: ToolContext) -> str:
    """Looking changes nothing."""
    return ""


@dataclass(frozen=True, slots=True)
class Tool:
    """`effect` is its name in `effects.lua`, or among the looks of the turn; `needs_own_words`: it does not run in a mixed turn.

    `changes_kept`: it changes or takes away what is kept, or sends it, and so runs only where the person asks for something.
    `prepare` makes the effect's arguments of the model's, or raises BadArguments; `told` makes the sentence for the model of its result,
    and `receipt` the line for the person, "" where nothing was changed.
    """

    name: str
    description: str
    effect: str
    prepare: Callable[[Arguments, ToolContext], Arguments]
    told: Callable[[Result, ToolContext], str]
    receipt: Callable[[Result, ToolContext], str]
    schema: Mapping[str, Any] = field(default_factory=lambda: NO_SCHEMA)
    needs_own_words: bool = False
    changes_kept: bool = False

    @property
    def changes(self) -> bool:
        """Whether it changes anything."""
        return self.receipt is not no_receipt

    @property
    def definition(self) -> dict[str, Any]:
        """As the Messages API takes it."""
        return {"name": self.name, "description": self.description, "input_schema": dict(self.schema)}
