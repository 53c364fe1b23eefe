"""How much a model thinks: which fields each family of Claude accepts in a request. Data, and the rule that reads it.

Most models think unless they are told not to, and what they think counts toward `max_tokens`: an answer can consist of thinking alone.
So every request says how much, in the fields that its model accepts; another model's fields are a 400. Sources, read in November 2026:
platform.claude.com/docs, models/*/whats-new-*, models/overview, build-with-claude/effort, build-with-claude/adaptive-thinking.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

from shared.model.efforts import EFFORTS, Effort, EffortSetting

MILLION: Final = 1_000_000
_NO_XHIGH: Final[tuple[Effort, ...]] = ("low", "medium", "high", "max")


@dataclass(frozen=True, slots=True)
class Family:
    """What models of one name accept.

    `thinking`: the value that makes it think as much as its effort says; `least`: the least thinking that it can be set to. `longest` is
    the most that `max_tokens` may be, `context` how many tokens question and answer have together; 0 where no page says it. `cached` is
    the shortest beginning of a prompt that is cached, in tokens. `ends`: from that day on nobody serves it.
    """

    thinking: Literal["adaptive", "disabled"]
    least: Literal["adaptive", "between_tools", "disabled"]
    efforts: tuple[Effort, ...] = EFFORTS
    longest: int = 0
    context: int = 0
    cached: int = 512
    ends: date | None = None


FAMILIES: Final[dict[str, Family]] = {
    "fable-5-2": Family("adaptive", "adaptive", EFFORTS, 128_000, MILLION),
    "fable-5-1": Family("adaptive", "adaptive", EFFORTS, 128_000, MILLION),
    "fable-5": Family("adaptive", "adaptive"),
    "mythos-5-2": Family("adaptive", "adaptive", EFFORTS, 128_000, MILLION),
    "mythos-5-1": Family("adaptive", "adaptive", EFFORTS, 128_000, MILLION),
    "mythos-5": Family("adaptive", "adaptive"),
    "opus-5-5": Family("adaptive", "adaptive", EFFORTS, 128_000, MILLION),
    "sonnet-5-5": Family("adaptive", "between_tools", EFFORTS, 128_000, MILLION),
    "haiku-5-5": Family("adaptive", "disabled", EFFORTS, 128_000, MILLION),
    "opus-5": Family("adaptive", "disabled"),
    "sonnet-5": Family("adaptive", "disabled"),
    "opus-4-8": Family("adaptive", "disabled", cached=1024),
    "opus-4-7": Family("adaptive", "disabled", cached=1024),
    "opus-4-6": Family("adaptive", "disabled", _NO_XHIGH, cached=1024),
    "sonnet-4-6": Family("adaptive", "disabled", _NO_XHIGH, cached=1024),
    "opus-4-5": Family("disabled", "disabled", ("low", "medium", "high"), cached=4096, ends=date(2027, 1, 22)),
    "sonnet-4-5": Family("disabled", "disabled", (), cached=1024, ends=date(2026, 11, 30)),
    "haiku-4-5": Family("disabled", "disabled", (), 64_000, 200_000, cached=4096),
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


def thinking_fields(model: str, effort: EffortSetting, *, least: bool = False) -> dict[str, Any]:
    """The fields `thinking` and `output_config` of a request; `least` asks for as little thinking as the model can be told.

    A model that is not in the table, or `default`, is asked without them: it thinks as it likes, and no field can be one that its host
    refuses. An effort that the family does not know becomes the next lower one.
    """
    family = family_of(model)
    if family is None or effort == "default":
        return {}
    level = known_effort(family, "low" if least else effort)
    fields: dict[str, Any] = {"thinking": {"type": family.least if least else family.thinking}}
    return {**fields, "output_config": {"effort": level}} if level else fields


def known_effort(family: Family, effort: Effort) -> Effort | None:
    """The effort that is said to a family: this one, or the next lower one that it knows; None where it knows none."""
    lower = EFFORTS[: EFFORTS.index(effort) + 1]
    return next((level for level in reversed(lower) if level in family.efforts), None)
