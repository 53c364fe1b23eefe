"""What `boss doctor` says of the models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from boss.checks.models import models, second_model, web_tools
from boss.checks.result import Finding
from shared.config.loading import load_settings
from shared.mailbox.books import Used
from tests.unit.boss.checks.test_checks import seen


def said(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.status, finding.detail) for finding in findings]


def test_who_answers_is_shown_or_what_cannot_be_followed(tmp_path: Path) -> None:
    """Also where the users file cannot be used, which has a line of its own."""
    assert said(models(load_settings(_env_file=None))) == [("ok", "claude-sonnet-5-5 (medium)")]
    (warned,) = models(load_settings(_env_file=None, boss_model="claude-haiku-4-5", sms_effort="low"))
    assert (warned.status, warned.todo) == ("warn", "See docs/howto/models.md.")
    assert warned.detail.startswith("SMS_EFFORT=low: claude-haiku-4-5 knows no effort")
    assert said(models(load_settings(_env_file=None, boss_users_file=tmp_path / "none"))) == [("ok", "claude-sonnet-5-5 (medium)")]


def test_what_the_second_model_has_answered_is_shown() -> None:
    """Nothing without one; and what also answers as a first one is told apart."""

    def look(used: Used, **settings: Any) -> list[tuple[str, str]]:
        return said(second_model(load_settings(_env_file=None, **settings), seen(models={"claude-haiku-5-5": used})))

    assert look(Used()) == []
    assert look(Used(), second_model="claude-haiku-5-5") == [("ok", "claude-haiku-5-5, not needed this month")]
    text = "claude-haiku-5-5 answered while another did not serve: 1,200 tokens, $0.0025 this month"
    assert look(Used(2500, 0, 1200), second_model="claude-haiku-5-5") == [("ok", text)]
    both = look(Used(1, 0, 1), second_model="claude-haiku-5-5", sms_model="claude-haiku-5-5")
    assert both == [("ok", "claude-haiku-5-5, which also answers as a first one")]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, []), ({"web_fetch": "on"}, []), ({"web_search": "on"}, ["ok"]), ({"web_search": "on", "boss_model": "qwen3"}, []),
        ({"web_search": "on", "person_daily_dollars": 0.3}, ["warn"]), ({"web_search": "on", "daily_tokens": 60_000}, ["warn"]),
        ({"web_search": "on", "person_daily_dollars": 0.3, "web_uses": 1}, ["ok"]),
    ],
)  # fmt: skip
def test_a_bound_that_leaves_no_room_for_a_search_is_told(changes: dict[str, Any], status: list[str]) -> None:
    """Nothing is said where nothing may be searched."""
    assert [finding.status for finding in web_tools(load_settings(_env_file=None, **{"sandbox": "off", **changes}))] == status
