"""What is wrong with the models that are set, by what is known of them (`models.py`): one sentence each, for `boss doctor` and the log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from itertools import product
from typing import Final

from shared.config.settings import Settings
from shared.model.channels import CHANNELS
from shared.model.efforts import EFFORTS
from shared.model.users import Users
from supervisor_worker.assistant.model_choice import ModelChoice, chosen, said
from supervisor_worker.assistant.model_hosts import is_plain
from supervisor_worker.assistant.models import Family, family_of, known_effort

WARNED_BEFORE: Final = timedelta(days=60)
"""Before the day from which nobody serves a model."""
LEAST_THINKING: Final = 1_024
"""Room in tokens, below which a model that always thinks may have none left for its answer."""


def doubts(settings: Settings, users: Users | None, today: date) -> list[str]:
    """A sentence for each setting, or entry of the users file, that a model cannot follow; without the same one twice."""
    people = (None, *(users.distinct_models if users else ()))
    found: list[str] = []
    for user, channel in product(people, CHANNELS):
        where = {name: place for name, (_, place) in said(settings, channel, user).items()}
        choice = chosen(settings, channel, user)
        found += _of(choice, where, settings, today)
        if settings.second_model:  # which no effort is set for
            found += _of(replace(choice, model=settings.second_model), {"model": "SECOND_MODEL"}, settings, today)
    return list(dict.fromkeys(found))


def _of(choice: ModelChoice, where: Mapping[str, str], settings: Settings, today: date) -> Iterator[str]:
    family = family_of(choice.model)
    yield from _of_effort(choice, family, where)
    if "on" in (settings.web_search, settings.web_fetch) and (family is None or is_plain(settings, choice.model)):
        yield f"WEB_SEARCH and WEB_FETCH: {choice.model} has no tools of the web, and is asked without them"
    if family is None:
        return
    named = f"{where.get('model', 'BOSS_MODEL')}: {choice.model}"
    if family.ends and today >= family.ends:
        yield f"{named} is served no more since {family.ends}; choose another"
    elif family.ends and today >= family.ends - WARNED_BEFORE:
        yield f"{named} is served until {family.ends}; choose another by then"
    if family.longest and choice.longest > family.longest:
        room = f"{where.get('max_tokens', 'CLAUDE_MAX_TOKENS')} and CLAUDE_THINKING_TOKENS"
        yield f"{room} are {choice.longest:,} tokens together, and {choice.model} writes {family.longest:,} at most: lower one"
    if family.context and settings.history_tokens + choice.longest > family.context:
        yield f"HISTORY_TOKENS: {choice.model} is shown {family.context:,} tokens at most, its answer included: lower it"
    if family.least != "disabled" and choice.thinking_tokens < LEAST_THINKING:
        yield f"CLAUDE_THINKING_TOKENS: {choice.model} cannot be told not to think: give it {LEAST_THINKING:,} or more"


def _of_effort(choice: ModelChoice, family: Family | None, where: Mapping[str, str]) -> Iterator[str]:
    """What is set by somebody; the shipped default is no fault of a model that knows fewer words."""
    if "effort" not in where or choice.effort == "default":
        return
    named = f"{where['effort']}={choice.effort}" if where["effort"].isupper() else f"{where['effort']} = {choice.effort}"
    if family is None:
        yield f"{named}: nothing is known of {choice.model}, and it is asked without an effort; say default"
    elif (sent := known_effort(family, choice.effort)) is None:
        yield f"{named}: {choice.model} knows no effort, and is asked without one; say default"
    elif sent != choice.effort:
        words = ", ".join(level for level in EFFORTS if level in family.efforts)
        yield f"{named}: {choice.model} knows only {words}, and is asked with {sent}"


def described(settings: Settings, users: Users | None) -> str:
    """Who answers whom, in one line: the usual models by channel, then how many entries have their own."""
    by_channel = {channel: chosen(settings, channel, None) for channel in CHANNELS}
    shown: dict[str, list[str]] = {}
    for channel, choice in by_channel.items():
        shown.setdefault(f"{choice.model} ({choice.effort})", []).append(channel)
    parts = [text if len(shown) == 1 else f"{', '.join(channels)}: {text}" for text, channels in shown.items()]
    own = sum(bool(user.model or user.effort or user.max_tokens) for user in users.all) if users else 0
    second = [f"{settings.second_model} while one of them does not serve"] if settings.second_model else []
    return "; ".join([*parts, *second, *([f"{own} of the users file have their own"] if own else [])])
