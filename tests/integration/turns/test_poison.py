"""A message that can never be answered, in the middle of a conversation: it parks, alone, and the others' order stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar, cast

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from shared.mailbox import AsyncMailbox
from shared.mailbox.call import Call
from shared.model.words import said
from supervisor_worker.assistant import notices
from supervisor_worker.assistant.claude.client import ModelAnswer
from supervisor_worker.assistant.prompt import Prompt
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment

T = TypeVar("T")
POISON: Final = "poison"


@pytest.fixture
def environment(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[TurnEnvironment]:
    sandbox.faults(twilio={"status_callbacks": False})
    found = TurnEnvironment(redis, redis_url, sandbox)
    yield found
    found.close()


class Echo:
    """A model that says what was said last, and trips over one word if it is `broken`."""

    def __init__(self, *, broken: bool) -> None:
        self._broken = broken

    async def think(self, prompt: Prompt) -> ModelAnswer:
        """A fault of our own quotes the user."""
        said = prompt.messages[-1].text
        if self._broken and POISON in said:
            raise ValueError(said)
        return ModelAnswer(said)

    async def aclose(self) -> None:
        """Nothing is open."""


def refuse_to_store(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The server answers with an error whenever the reply to the poison is to be stored; each of its conversations is noted."""
    run, died = AsyncMailbox.run, list[str]()

    async def poisoned(self: AsyncMailbox, call: Call[T]) -> T:
        if call.name == "store_reply" and POISON in str(call.args):
            died.append(str(call.args["conv"]))
            raise ResponseError("user_script:1: attempt to index a nil value")
        return await run(self, call)

    monkeypatch.setattr(AsyncMailbox, "run", poisoned)
    return died


def hurried(environment: TurnEnvironment, conversation: str, died: list[str], until: Callable[[], bool]) -> Callable[[], bool]:
    """The waits between tries, and the leases that turns left behind when they died, end at once."""
    key = f"boss:conv:{conversation}"

    def look() -> bool:
        while died:
            environment.redis.hset(f"boss:conv:{died.pop()}", "lease_end", 1)
        if int(cast("Any", environment.redis.hget(key, "lease_end")) or 0) <= 1:
            environment.redis.hset(key, "not_before", 0)
            environment.redis.zadd("boss:due", {conversation: 0}, xx=True)
            environment.redis.delete(f"boss:wake:{conversation}")
        return until()

    return look


@pytest.mark.parametrize(("kind", "reason"), [
    ("model", "too_many_errors"), ("code", "too_many_errors"), ("record", "unreadable"), ("script", "too_many_lost_leases"),
])  # fmt: skip
def test_a_poisoned_message_parks_alone_and_the_others_keep_their_order(
    environment: TurnEnvironment, monkeypatch: pytest.MonkeyPatch, kind: str, reason: str
) -> None:
    """The model refuses it, our own code trips over it, its record is broken, a script fails on it: the rest is answered, in order."""
    if kind == "model":
        environment.sandbox.faults(anthropic={"fail": [{"fault": "404", "times": None, "match": POISON}]})
    else:
        environment.model = Echo(broken=kind == "code")
    before = [environment.text("first"), environment.text("second")]
    poison = environment.text(POISON)
    after = [environment.text("third"), environment.text("fourth")]
    if kind == "record":
        environment.redis.hset(f"boss:msg:{poison.id}", "event", "{broken")
    died = refuse_to_store(monkeypatch) if kind == "script" else []
    environment.forgiven = (ResponseError,) if kind == "script" else ()
    others = [*before, *after]

    environment.drive(
        hurried(
            environment, environment.conversation(poison), died, lambda: all(environment.state(event) == "answered" for event in others)
        ),
        20,
    )
    assert environment.state(poison) == f"parked:{reason}"
    sent = "\n".join(entry["request"]["body"] for entry in environment.sandbox.journal("twilio.create") if entry["accepted"])
    told = [word for word in sent.replace("You wrote:", "").split() if word in ("first", "second", "third", "fourth")]
    assert told == ["first", "second", "third", "fourth"]
    assert POISON not in sent.replace(said(notices.GENERAL), "")
