"""How much a model thinks: which fields each family of Claude accepts in a request. Data, and the rule that reads it.

Most models think unless they are told not to, and what they think counts toward `max_tokens`: an answer can consist of thinking alone.
So every request says how much, in the fields that its model accepts; another model's fields are a 400. Sources, read in November 2026:
platform.claude.com/docs, models/*/whats-new-*, models/overview, build-with-claude/effort, build-with-claude/adaptive-thinking.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

Effort = Literal["low", "medium", "high", "xhigh", "max"]
EFFORTS: Final[tuple[Effort, ...]] = ("low", "medium", "high", "xhigh", "max")
_NO_XHIGH: Final[tuple[Effort, ...]] = ("low", "medium", "high", "max")


@dataclass(frozen=True, slots=True)
class Family:
    """`thinking`: the value that makes it think as much as its effort says; `least`: the least thinking that it can be set to."""

    thinking: Literal["adaptive", "disabled"]
    least: Literal["adaptive", "between_tools", "disabled"]
    efforts: tuple[Effort, ...] = EFFORTS


FAMILIES: Final[dict[str, Family]] = {
    "fable-5-2": Family("adaptive", "adaptive"),
    "fable-5-1": Family("adaptive", "adaptive"),
    "fable-5": Family("adaptive", "adaptive"),
    "mythos-5-2": Family("adaptive", "adaptive"),
    "mythos-5-1": Family("adaptive", "adaptive"),
    "mythos-5": Family("adaptive", "adaptive"),
    "opus-5-5": Family("adaptive", "adaptive"),
    "sonnet-5-5": Family("adaptive", "between_tools"),
    "haiku-5-5": Family("adaptive", "disabled"),
    "opus-5": Family("adaptive", "disabled"),
    "sonnet-5": Family("adaptive", "disabled"),
    "opus-4-8": Family("adaptive", "disabled"),
    "opus-4-7": Family("adaptive", "disabled"),
    "opus-4-6": Family("adaptive", "disabled", _NO_XHIGH),
    "sonnet-4-6": Family("adaptive", "disabled", _NO_XHIGH),
    "opus-4-5": Family("disabled", "disabled", ("low", "medium", "high")),
    "sonnet-4-5": Family("disabled", "disabled", ()),
    "haiku-4-5": Family("disabled", "disabled", ()),
}
"""By the name after `claude-`, without a date. The newest of each line can be set to think little, not to stop."""

_NAME: Final = re.compile(r"claude-((?:fable|mythos|opus|sonnet|haiku)-\d{1,2}(?:-\d{1,2})?)(?!\d)(?!-\d{1,2}(?!\d))")


def family_of(model: str) -> Family | None:
    """The family of a model by its name, which a gateway may have wrapped in its own words; None for one that is not in the table."""
    found = _NAME.search(model)
    return FAMILIES.get(found.group(1)) if found else None


def thinks(model: str) -> bool:
    """Whether tokens for thinking are added to those of the answer: also for an unknown model."""
    family = family_of(model)
    return family is None or family.thinking != "disabled"


def thinking_fields(model: str, effort: Effort | Literal["default"], *, least: bool = False) -> dict[str, Any]:
    """The fields `thinking` and `output_config` of a request; `least` asks for as little thinking as the model can be told.

    A model that is not in the table, or `default`, is asked without them: it thinks as it likes, and no field can be one that its host
    refuses. An effort that the family does not know becomes the next lower one.
    """
    family = family_of(model)
    if family is None or effort == "default":
        return {}
    level: Effort | None = "low" if least else effort
    while level is not None and level not in family.efforts:
        level = EFFORTS[EFFORTS.index(level) - 1] if level != "low" else None
    fields: dict[str, Any] = {"thinking": {"type": family.least if least else family.thinking}}
    return {**fields, "output_config": {"effort": level}} if level else fields
