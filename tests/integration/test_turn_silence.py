"""A model that says nothing, or thinks until no room for words is left: one more question at most, and an end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from bridge.server.ledger_follower import outcome_of
from shared.mailbox.wait_for_reply import recorded
from supervisor_worker.assistant import notices
from supervisor_worker.assistant.claude.client import ModelAnswer
from supervisor_worker.assistant.prompt import EMPTY, NO_ROOM, Prompt
from tests.integration.turn_world import World
from tests.support.sandbox import SandboxProcess


@pytest.fixture
def world(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[World]:
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    found = World(redis, redis_url, sandbox, {"CLAUDE_TIMEOUT_SECONDS": 20})
    yield found
    found.close()


def asked(world: World) -> list[dict[str, Any]]:
    """The questions, oldest first."""
    return [entry["request"] for entry in world.sandbox.journal("anthropic.messages")]


@pytest.mark.parametrize(
    ("kind", "faults"),
    [
        ("text", {"text": ""}),
        ("text", {"text": "```\n```"}),
        ("mail", {"text": " \n "}),
        ("mail", {"content": [], "stop_reason": "stop_sequence"}),
    ],
)
def test_an_empty_answer_is_asked_about_once_and_ends_the_message_without_a_reply(world: World, kind: str, faults: dict[str, Any]) -> None:
    """No apology, no error, nothing sent; what nothing is left of is empty, too. The next question shows it."""
    world.sandbox.faults(anthropic=faults)
    event = world.text("\U0001f44d") if kind == "text" else world.mail("\U0001f44d")
    assert world.once(event) is False

    first, second = asked(world)
    assert EMPTY not in json.dumps(first)
    assert second["messages"][-1]["content"].endswith(f"\u27e6{EMPTY}\u27e7")
    assert world.state(event) == "answered:nothing_to_say"
    (line,) = world.ledger("answered")
    assert line.fields["reason"] == "nothing_to_say"
    assert world.sandbox.count("twilio.create", accepted=None) == world.sandbox.count("sendgrid.send", accepted=None) == 0
    assert world.ledger("notice") == world.ledger("backoff") == []
    if kind == "text":
        world.sandbox.faults(anthropic={"text": None, "content": None, "stop_reason": None})
        world.once(world.text("And now?"))
        (shown,) = asked(world)[-1]["messages"]
        assert shown["content"] == "\U0001f44d\n\n\u27e6you left this without an answer\u27e7\n\nAnd now?"


class Hesitating:
    """Says nothing first."""

    def __init__(self) -> None:
        self.asked = 0

    async def think(self, prompt: Prompt) -> ModelAnswer:
        """Nothing, then something."""
        self.asked += 1
        return ModelAnswer("" if self.asked == 1 else prompt.messages[-1].text.splitlines()[0], input_tokens=3, output_tokens=self.asked)

    async def aclose(self) -> None:
        """Nothing to close."""


def test_a_model_that_only_hesitated_is_heard(world: World) -> None:
    """The second answer is the reply, and both are its figures."""
    world.model = Hesitating()
    event = world.text("Hello")
    world.once(event)
    (sent,) = world.sandbox.journal("twilio.create", accepted=True)
    assert sent["request"]["body"] == "Hello"
    (stored,) = world.ledger("reply_stored")
    assert (stored.fields["calls"], stored.fields["input_tokens"], stored.fields["output_tokens"]) == ("2", "6", "3")


def test_thinking_that_eats_the_answer_is_asked_once_more_with_little_of_it(world: World) -> None:
    """The default model thinks between tools only, which there are none of here."""
    world.sandbox.faults(anthropic={"thinking_tokens": 100_000, "text": "At last."})
    event = world.text("A riddle")
    world.once(event)

    first, second = asked(world)
    assert (first["thinking"], first["output_config"]) == ({"type": "adaptive"}, {"effort": "medium"})
    assert (second["thinking"], second["output_config"]) == ({"type": "between_tools"}, {"effort": "low"})
    assert NO_ROOM in json.dumps(second["messages"])
    (sent,) = world.sandbox.journal("twilio.create", accepted=True)
    assert sent["request"]["body"] == "At last."
    (stored,) = world.ledger("reply_stored")
    assert (stored.fields["calls"], stored.fields["stop"]) == ("2", "end_turn")
    assert int(stored.fields["output_tokens"]) > 1024 + 3072, "what was thought in vain is among the figures"


def test_usual_thinking_has_room_beside_a_long_answer(world: World) -> None:
    """As much as the answer may have is left for it."""
    world.sandbox.faults(anthropic={"thinking_tokens": 6_000, "text": "word " * 800})
    event = world.mail("Tell me")
    world.once(event)
    assert len(asked(world)) == 1
    assert world.ledger("reply_stored")[0].fields["stop"] == "end_turn"
    assert world.state(event) == "answered"


def test_a_model_that_thinks_twice_until_no_room_is_left_costs_two_questions_and_an_apology(world: World) -> None:
    """More of them would end alike: not five, and not a minute later."""
    world.environment |= {"BOSS_MODEL": "claude-opus-5-5"}  # which cannot be told to stop
    world.sandbox.faults(anthropic={"thinking_tokens": 100_000, "text": "never"})
    event = world.text("A riddle")
    world.drive(lambda: world.sandbox.count("twilio.create") == 1)
    assert [request["thinking"]["type"] for request in asked(world)] == ["adaptive", "adaptive"]
    assert [request["output_config"]["effort"] for request in asked(world)] == ["medium", "low"]
    assert world.state(event) == "parked:claude_empty_max_tokens"
    (sent,) = world.sandbox.journal("twilio.create", accepted=True)
    assert sent["request"]["body"] == notices.GENERAL


def test_a_shorter_answer_that_is_none_does_not_lose_the_long_one(world: World) -> None:
    """Neither does one that failed: what there is is sent, cut."""
    long = "This is a sentence of a stubborn model. " * 100
    world.sandbox.faults(anthropic={"text": long, "fail": [{"fault": "529", "match": "too long for a text message"}]})
    event = world.text("Tell me everything")
    world.once(event)
    (sent,) = world.sandbox.journal("twilio.create", accepted=True)
    assert sent["request"]["body"].endswith("stubborn model. [...]")
    assert world.state(event) == "answered"


def test_who_waits_for_the_answer_hears_that_there_is_none(world: World) -> None:
    """Over the bridge, and in the command: an end of its own, and no failure."""
    world.sandbox.faults(anthropic={"text": ""})
    event = world.text("\U0001f44d", kind="bridge")
    world.once(event)
    ended = outcome_of(world.message(event), None)
    assert ended is not None
    assert (ended.code, ended.reply) == ("nothing_to_say", None)
    waited = recorded(world.mailbox, event.id)
    assert waited is not None
    assert (waited.outcome, waited.reason, waited.reply) == ("answered", "nothing_to_say", None)
