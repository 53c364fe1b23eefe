"""How much each model is told to think: its host takes every request that we make, and the table knows every model of the SDK."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from anthropic.types.model import Model

from sandbox.anthropic import model_rules
from shared.model.efforts import EFFORTS
from supervisor_worker.assistant.models import FAMILIES, family_of, thinking_fields, thinks

KNOWN = sorted(f"claude-{name}" for name in FAMILIES)
NAMES = [name for part in get_args(Model) for name in get_args(part)]


@pytest.mark.parametrize(
    "model", [*KNOWN, "claude-haiku-4-5-20251001", "anthropic/claude-sonnet-5-5", "anthropic.claude-opus-4-6-v1:0", "llama"]
)
def test_no_request_of_ours_is_refused_for_what_it_says_of_thinking(model: str) -> None:
    """By the rules of the API as the sandbox knows them, whatever effort is set, and however little is to be thought."""
    for effort in (*EFFORTS, "default"):
        for least in (False, True):
            request: dict[str, Any] = {"model": model, "max_tokens": 4096, **thinking_fields(model, effort, least=least)}  # type: ignore[arg-type]
            assert model_rules.problem_of(request) is None, request


def test_every_model_of_the_sdk_is_in_both_tables() -> None:
    """But for a preview that has ended."""
    assert len(NAMES) > 10
    assert {name for name in NAMES if family_of(name) is None} == {"claude-mythos-preview"}
    assert {name for name in NAMES if model_rules.rules_of(name) is None} == {"claude-mythos-preview"}


def test_what_thinks_by_itself_has_room_for_it() -> None:
    """A model that nobody knows may think, too; one that is told not to needs none."""
    assert [thinks(name) for name in ("claude-sonnet-5-5", "llama", "claude-haiku-4-5")] == [True, True, False]


def test_the_default_model_thinks_least_between_tools() -> None:
    """It refuses `disabled`."""
    assert thinking_fields("claude-sonnet-5-5", "max", least=True) == {
        "thinking": {"type": "between_tools"},
        "output_config": {"effort": "low"},
    }


@pytest.mark.parametrize(
    ("model", "effort", "sent"),
    [
        ("claude-sonnet-4-6", "xhigh", "high"),
        ("claude-opus-4-5", "max", "high"),
        ("claude-opus-5-5", "xhigh", "xhigh"),
        ("claude-haiku-4-5", "low", None),
    ],
)
def test_an_effort_that_a_model_does_not_know_becomes_the_next_lower_one(model: str, effort: Any, sent: str | None) -> None:
    """Or is left away."""
    assert thinking_fields(model, effort).get("output_config", {}).get("effort") == sent


@pytest.mark.parametrize("model", ["claude-sonnet-5-9", "claude-opus-5-5-1", "claude-3-5-sonnet-20241022", "claude-opus-55", "gpt"])
def test_a_model_that_nobody_knows_is_told_nothing(model: str) -> None:
    """Its host might refuse a field, and then nobody would be answered."""
    assert thinking_fields(model, "high") == thinking_fields(model, "high", least=True) == {}
