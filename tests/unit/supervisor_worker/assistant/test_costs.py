"""What a worker process knows of money: prices, of which one that is missing is told once, and how the clocks of its users stand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.config.loading import load_settings
from shared.config.prices import shipped
from shared.mailbox.calls import Dearest
from shared.model.prices import FREE
from shared.model.users import LOCAL_USER, Users
from supervisor_worker.assistant import costs, price
from supervisor_worker.assistant.costs import Costs, offset_ms, tell_operator


def known(*zones: str, **settings: Any) -> Costs:
    chosen = load_settings(_env_file=None, **{"sandbox": "off", **settings})
    return Costs(chosen, Users([replace(LOCAL_USER, timezone=zone) for zone in zones]), shipped())


def test_the_zones_of_the_users_are_told_by_how_far_they_are_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each once, those of UTC not at all, before and after a change of the clocks, half hours too."""
    moments = {"winter": datetime(2026, 12, 1, tzinfo=UTC), "summer": datetime(2026, 7, 1, tzinfo=UTC)}
    found = {}
    table = known("Europe/Berlin", "UTC", "Asia/Kolkata", "America/New_York", "Europe/Berlin", "Africa/Abidjan")
    for name, moment in moments.items():
        monkeypatch.setattr("supervisor_worker.assistant.costs.time.time", moment.timestamp)
        found[name] = table.zones
    assert found == {
        "winter": "America/New_York=-18000000 Asia/Kolkata=19800000 Europe/Berlin=3600000",
        "summer": "America/New_York=-14400000 Asia/Kolkata=19800000 Europe/Berlin=7200000",
    }
    assert known("UTC").zones == known().zones == ""
    assert offset_ms(replace(LOCAL_USER, timezone="Nowhere/Else"), moments["winter"]) == 0


def test_a_model_without_a_price_is_told_of_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a process, whatever day it is; it counts at the dearest."""
    told: list[str] = []
    monkeypatch.setattr(costs.LOG, "warning", lambda _text, **fields: told.append(fields["model"]))
    table = known()
    for day in (1, 1, 2):
        monkeypatch.setattr(price, "today", lambda day=day: datetime(2026, 12, day, tzinfo=UTC).date())
        assert table.most("mystery", 300, 100).micros == table.most("claude-fable-5-1", 300, 100).micros > 0
        assert table.most("claude-sonnet-5-5", 300, 100).micros == 200 * 4 + 100 * 10
    assert told == ["mystery"]


def test_a_played_model_costs_nothing_and_a_recording_what_its_tokens_do() -> None:
    """Whatever its name."""
    assert known(sandbox="on").price("mystery") is FREE
    assert known(sandbox="on").dearest(Dearest(fixed=9, model="mystery")).tiers == "0 0 0"
    assert known().hearing(3_000).micros == 6_000


def test_a_bound_in_dollars_that_fits_no_question_is_said_so() -> None:
    """By its setting's name; nothing is said of a model that costs nothing, and of a played one."""

    def said(**settings: Any) -> str:
        return price.too_small(load_settings(_env_file=None, **{"sandbox": "off", **settings}), shipped())

    assert said(person_monthly_dollars=0.01).startswith("PERSON_MONTHLY_DOLLARS is 0.01, but one question is reserved at least 0.0")
    assert said(daily_dollars=1, monthly_dollars=1, person_daily_dollars=1, person_monthly_dollars=1) == ""
    assert said(daily_dollars=0.01, sandbox="on") == ""


def test_the_operator_reads_of_a_bound_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A month that is used up is an alarm."""
    told: list[tuple[int, str]] = []
    monkeypatch.setattr(costs.LOG, "log", lambda level, _text, **fields: told.append((level, fields["bound"])))
    tell_operator(["daily_dollars", "own_month", "month"])
    assert told == [(30, "daily_dollars"), (30, "own_month"), (50, "month")]
