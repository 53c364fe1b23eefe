"""When the second model is asked, and when the first again."""

from __future__ import annotations

from typing import Any

from shared.config.loading import load_settings
from shared.errors import ProviderUnavailable
from supervisor_worker.assistant.model_choice import ModelChoice
from supervisor_worker.assistant.second_model import SPARED_SECONDS, SecondModel

FIRST = ModelChoice("claude-sonnet-5-5", "high", 700, 3000)
OTHER = ModelChoice("claude-haiku-5-5", "high", 700, 3000)
OVERLOADED = ProviderUnavailable("claude", "overloaded_error", status=529)
AWAY = ProviderUnavailable("claude", "no_answer")


class Clock:
    """Seconds, set by hand."""

    now = 1_000.0

    def __call__(self) -> float:
        """That is the time."""
        return self.now


def second(clock: Clock, **settings: Any) -> SecondModel:
    return SecondModel(load_settings(_env_file=None, **{"second_model": OTHER.model, "sandbox": "on", **settings}), clock)


def test_an_overloaded_model_is_spared_for_a_minute_and_then_tried_by_one_turn() -> None:
    """With the same effort and room; the others go on with the second until the first has answered."""
    clock = Clock()
    models = second(clock)
    assert models.instead(FIRST) == FIRST
    assert models.after(FIRST, OVERLOADED) == OTHER
    assert models.instead(FIRST) == OTHER
    clock.now += SPARED_SECONDS
    assert [models.instead(FIRST) for _ in range(3)] == [FIRST, OTHER, OTHER]
    assert models.after(FIRST, OVERLOADED) == OTHER
    clock.now += SPARED_SECONDS
    assert models.instead(FIRST) == FIRST
    models.served(FIRST)
    assert [models.instead(FIRST) for _ in range(2)] == [FIRST, FIRST]


def test_another_outage_must_have_lasted() -> None:
    """Since the first of its failures, with no answer in between."""
    clock = Clock()
    models = second(clock)
    assert models.after(FIRST, AWAY) is None
    clock.now += 119
    assert models.after(FIRST, AWAY) is None
    models.served(FIRST)
    clock.now += 1
    assert models.after(FIRST, AWAY) is None
    clock.now += 120
    assert models.after(FIRST, AWAY) == OTHER
    assert models.instead(FIRST) == OTHER


def test_without_a_second_model_nothing_changes_and_nobody_is_its_own_second() -> None:
    """Also where a person's own model is the second one of all."""
    clock = Clock()
    models = second(clock, second_model="")
    assert models.after(FIRST, OVERLOADED) is None
    assert models.instead(FIRST) == FIRST
    models = second(clock)
    assert models.after(OTHER, OVERLOADED) is None
    assert models.instead(OTHER) == OTHER
