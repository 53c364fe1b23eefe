"""Reactions and automatic answers from the webhook on: no question, no text, and a note in the history."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from redis import Redis

from tests.payloads import sid
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment
from tests.support.webhook_client import Web, opened

CASES: Final = json.loads((Path(__file__).parents[2] / "cases" / "sms" / "reactions.json").read_text(encoding="utf-8"))["cases"]


@pytest.fixture
def environment(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[TurnEnvironment]:
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    found = TurnEnvironment(redis, redis_url, sandbox)
    yield found
    found.close()


@pytest.fixture
def web(redis_url: str) -> Iterator[Web]:
    with opened(redis_url, sms_settle_seconds=0) as running:
        yield running


def counts(environment: TurnEnvironment) -> tuple[int, int]:
    """Texts sent, questions asked."""
    return environment.sandbox.count("twilio.create"), environment.sandbox.count("anthropic.messages")


def has(environment: TurnEnvironment, expected: tuple[int, int]) -> bool:
    """Whether so many were sent and asked."""
    return counts(environment) == expected


def test_a_reaction_costs_nothing_and_a_near_miss_is_answered(environment: TurnEnvironment, web: Web) -> None:
    """The cases that were found outside, in one conversation; what was not answered stands in the next question as a note."""
    said: str = CASES[0]["last"]
    environment.sandbox.faults(anthropic={"text": said})
    web.sms(MessageSid=sid("first"), Body="When is dinner?")
    environment.drive(lambda: counts(environment)[0] == 1)
    for case in CASES:
        before = counts(environment)
        assert case["last"] == said
        web.sms(MessageSid=sid(case["id"]), Body=case["text"])
        expected = (before[0] + case["texts_back"], before[1] + case["model_calls"])
        if case["texts_back"]:
            environment.drive(partial(has, environment, expected))
        assert counts(environment) == expected, case["id"]
        last = [line.fields for line in environment.ledger("ignored")][-1:]
        assert case["texts_back"] or last[0]["reason"] == "reaction"
    messages: list[dict[str, Any]] = environment.sandbox.journal("anthropic.messages")[-1]["request"]["messages"]
    shown = json.dumps(messages, ensure_ascii=False)
    assert shown.count("\u27e6a reaction that their phone sent as a text; it was not answered\u27e7") == 5


def test_a_phone_s_own_sentence_is_not_answered(environment: TurnEnvironment, web: Web) -> None:
    """The person's next text is, and shows what the phone said."""
    web.sms(
        MessageSid=sid("auto"), Body="I\u2019m driving with Focus turned on. I\u2019ll see your message when I get where I\u2019m going."
    )
    assert counts(environment) == (0, 0)
    web.sms(MessageSid=sid("own"), Body="I am back")
    environment.drive(lambda: counts(environment) == (1, 1))
    shown = json.dumps(environment.sandbox.journal("anthropic.messages")[-1]["request"]["messages"], ensure_ascii=False)
    assert "I\u2019m driving with Focus" in shown
    assert "\u27e6an automatic answer of their phone or carrier; it was not answered\u27e7" in shown
