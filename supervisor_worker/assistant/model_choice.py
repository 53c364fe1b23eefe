"""Which model answers a turn, how much it thinks, and how long its answer may be: as the person's entry says, else the channel, else all.

A turn's first stored step holds its choice: whoever resumes the turn asks the same model, whatever the settings say by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from shared.config.settings import Settings
from shared.model.addresses import Channel
from shared.model.channels import CHANNELS
from shared.model.efforts import EffortSetting
from shared.model.users import User, Users
from supervisor_worker.assistant.models import thinks

FIELDS: Final = ("model", "effort", "max_tokens")


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model, its effort, and its room in tokens: for the answer, and for the thinking before it."""

    model: str
    effort: EffortSetting
    answer_tokens: int
    thinking_tokens: int

    @property
    def longest(self) -> int:
        """`max_tokens` of a request: the answer, and the thinking before it."""
        return self.answer_tokens + (self.thinking_tokens if thinks(self.model) else 0)

    def stored(self) -> dict[str, Any]:
        """As a step holds it."""
        return {"model": self.model, "effort": self.effort, "answer_tokens": self.answer_tokens, "thinking_tokens": self.thinking_tokens}


def restored(value: Mapping[str, Any] | None, current: ModelChoice | None) -> ModelChoice | None:
    """The choice of a stored step; that of today for a step of a version that stored none."""
    return ModelChoice(**value) if value else current


def usual(settings: Settings) -> ModelChoice:
    """The choice where neither channel nor person says anything."""
    return ModelChoice(settings.boss_model, settings.boss_effort, settings.claude_max_tokens, settings.claude_thinking_tokens)


def chosen(settings: Settings, channel: Channel, user: User | None) -> ModelChoice:
    """The choice for a person's turn on a channel: field by field, the person's own comes before the channel's."""
    given = {name: value for name, (value, _) in said(settings, channel, user).items()}
    plain = usual(settings)
    return ModelChoice(
        given.get("model", plain.model),
        given.get("effort", plain.effort),
        given.get("max_tokens", plain.answer_tokens),
        plain.thinking_tokens,
    )


def said(settings: Settings, channel: Channel, user: User | None) -> dict[str, tuple[Any, str]]:
    """What is said of each field by somebody, with where: the name of a setting, or whose entry of the users file."""
    found: dict[str, tuple[Any, str]] = {}
    for name, general in zip(FIELDS, ("boss_model", "boss_effort", "claude_max_tokens"), strict=True):
        own, of_channel = getattr(user, name, None), getattr(settings, f"{channel}_{name}", None)
        if own:
            found[name] = own, f"the users file, {user.username if user else ''}: {name}"
        elif of_channel:
            found[name] = of_channel, f"{channel}_{name}".upper()
        elif general in settings.model_fields_set:
            found[name] = getattr(settings, general), general.upper()
    return found


def first_chosen(settings: Settings, users: Users | None) -> tuple[ModelChoice, ...]:
    """Every choice that a turn may begin with, the usual one first."""
    people: Iterable[User | None] = (None, *(users.distinct_models if users else ()))
    choices = (chosen(settings, channel, user) for user in people for channel in CHANNELS)
    return tuple(dict.fromkeys((usual(settings), *choices)))


def all_chosen(settings: Settings, users: Users | None) -> tuple[ModelChoice, ...]:
    """The same, and those of the second model."""
    firsts = first_chosen(settings, users)
    seconds = (replace(choice, model=settings.second_model) for choice in firsts) if settings.second_model else ()
    return tuple(dict.fromkeys((*firsts, *seconds)))
