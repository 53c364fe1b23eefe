"""A model that says nothing, or thinks until no room for words is left: one more question at most, and an end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from bridge.server.ledger_follower import outcome_of
from shared.mailbox.wait_for_reply import recorded
from shared.model.words import said
from supervisor_worker.assistant import notices
from supervisor_worker.assistant.claude.client import ModelAnswer
from supervisor_worker.assistant.prompt import EMPTY, NO_ROOM, Prompt
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment


@pytest.fixture
def environment(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[TurnEnvironment]:
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    found = TurnEnvironment(redis, redis_url, sandbox, {"CLAUDE_TIMEOUT_SECONDS": 20})
    yield found
    found.close()


def asked(environment: TurnEnvironment) -> list[dict[str, Any]]:
    """The questions, oldest first."""
    return environment.questions()


@pytest.mark.parametrize(
    ("kind", "faults"),
    [
        ("text", {"text": ""}),
        ("text", {"text": "```\n```"}),
        ("mail", {"text": " \n "}),
        ("mail", {"content": [], "stop_reason": "stop_sequence"}),
    ],
)
def test_an_empty_answer_is_asked_about_once_and_ends_the_message_without_a_reply(
    environment: TurnEnvironment, kind: str, faults: dict[str, Any]
) -> None:
    """No apology, no error, nothing sent; what nothing is left of is empty, too. The next question shows it."""
    environment.sandbox.faults(anthropic=faults)
    event = environment.text("\U0001f44d") if kind == "text" else environment.mail("\U0001f44d")
    assert environment.once(event) is False

    first, second = asked(environment)
    assert EMPTY not in json.dumps(first)
    assert second["messages"][-1]["content"].endswith(f"\u27e6{EMPTY}\u27e7")
    assert environment.state(event) == "answered:nothing_to_say"
    (line,) = environment.ledger("answered")
    assert line.fields["reason"] == "nothing_to_say"
    assert environment.sandbox.count("twilio.create", accepted=None) == environment.sandbox.count("sendgrid.send", accepted=None) == 0
    assert environment.ledger("notice") == environment.ledger("backoff") == []
    if kind == "text":
        environment.sandbox.faults(anthropic={"text": None, "content": None, "stop_reason": None})
        environment.once(environment.text("And now?"))
        (shown,) = asked(environment)[-1]["messages"]
        assert shown["content"] == "\U0001f44d\n\n\u27e6you left this without an answer\u27e7\n\nAnd now?"


class Hesitating:
    """Says nothing first."""

    def __init__(self) -> None:
        self.asked = 0

    async def think(self, prompt: Prompt) -> ModelAnswer:
        """Nothing, then something."""
        self.asked += 1
        return ModelAnswer("" if self.asked == 1 else prompt.messages[-1].text.split("\n\n")[1], input_tokens=3, output_tokens=self.asked)

    async def aclose(self) -> None:
        """Nothing to close."""


def test_a_model_that_only_hesitated_is_heard(environment: TurnEnvironment) -> None:
    """The second answer is the reply, and both are its figures."""
    environment.model = Hesitating()
    event = environment.text("Hello")
    environment.once(event)
    (sent,) = environment.sandbox.journal("twilio.create", accepted=True)
    assert sent["request"]["body"] == "Hello"
    (stored,) = environment.ledger("reply_stored")
    assert (stored.fields["calls"], stored.fields["input_tokens"], stored.fields["output_tokens"]) == ("2", "6", "3")


def test_thinking_that_eats_the_answer_is_asked_once_more_with_little_of_it(environment: TurnEnvironment) -> None:
    """The default model thinks between tools only, which there are none of here."""
    environment.sandbox.faults(anthropic={"thinking_tokens": 100_000, "text": "At last."})
    event = environment.text("A riddle")
    environment.once(event)

    first, second = asked(environment)
    assert (first["thinking"], first["output_config"]) == ({"type": "adaptive"}, {"effort": "medium"})
    assert (second["thinking"], second["output_config"]) == ({"type": "between_tools"}, {"effort": "low"})
    assert NO_ROOM in json.dumps(second["messages"])
    (sent,) = environment.sandbox.journal("twilio.create", accepted=True)
    assert sent["request"]["body"] == "At last."
    (stored,) = environment.ledger("reply_stored")
    assert (stored.fields["calls"], stored.fields["stop"]) == ("2", "end_turn")
    assert int(stored.fields["output_tokens"]) > 1024 + 3072, "what was thought in vain is among the figures"


def test_usual_thinking_has_room_beside_a_long_answer(environment: TurnEnvironment) -> None:
    """As much as the answer may have is left for it."""
    environment.sandbox.faults(anthropic={"thinking_tokens": 6_000, "text": "word " * 800})
    event = environment.mail("Tell me")
    environment.once(event)
    assert len(asked(environment)) == 1
    assert environment.ledger("reply_stored")[0].fields["stop"] == "end_turn"
    assert environment.state(event) == "answered"


def test_a_model_that_thinks_twice_until_no_room_is_left_costs_two_questions_and_an_apology(environment: TurnEnvironment) -> None:
    """More of them would end alike: not five, and not a minute later."""
    environment.environment |= {"BOSS_MODEL": "claude-opus-5-5"}  # which cannot be told to stop
    environment.sandbox.faults(anthropic={"thinking_tokens": 100_000, "text": "never"})
    event = environment.text("A riddle")
    environment.drive(lambda: environment.sandbox.count("twilio.create") == 1)
    assert [request["thinking"]["type"] for request in asked(environment)] == ["adaptive", "adaptive"]
    assert [request["output_config"]["effort"] for request in asked(environment)] == ["medium", "low"]
    assert environment.state(event) == "parked:claude_empty_max_tokens"
    (sent,) = environment.sandbox.journal("twilio.create", accepted=True)
    assert sent["request"]["body"] == said(notices.GENERAL)


def test_a_shorter_answer_that_is_none_does_not_lose_the_long_one(environment: TurnEnvironment) -> None:
    """Neither does one that failed: what there is is sent, cut."""
    long = "This is a sentence of a stubborn model. " * 100
    environment.sandbox.faults(anthropic={"text": long, "fail": [{"fault": "529", "match": "too long for a text message"}]})
    event = environment.text("Tell me everything")
    environment.once(event)
    (sent,) = environment.sandbox.journal("twilio.create", accepted=True)
    assert sent["request"]["body"].endswith("stubborn model." + said("more_hint"))
    assert environment.state(event) == "answered"


def test_who_waits_for_the_answer_hears_that_there_is_none(environment: TurnEnvironment) -> None:
    """Over the bridge, and in the command: an end of its own, and no failure."""
    environment.sandbox.faults(anthropic={"text": ""})
    event = environment.text("\U0001f44d", kind="bridge")
    environment.once(event)
    ended = outcome_of(environment.message(event), None)
    assert ended is not None
    assert (ended.code, ended.reply) == ("nothing_to_say", None)
    waited = recorded(environment.mailbox, event.id)
    assert waited is not None
    assert (waited.outcome, waited.reason, waited.reply) == ("answered", "nothing_to_say", None)
