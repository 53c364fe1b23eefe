"""A message that can never be answered, in the middle of a conversation: it parks, alone, and the others' order stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar, cast

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from shared.mailbox import AsyncMailbox
from shared.mailbox.call import Call
from supervisor_worker.assistant import notices
from supervisor_worker.assistant.claude.client import ModelAnswer
from supervisor_worker.assistant.prompt import Prompt
from tests.integration.turn_world import World
from tests.support.sandbox import SandboxProcess

T = TypeVar("T")
POISON: Final = "poison"


@pytest.fixture
def world(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[World]:
    sandbox.faults(twilio={"status_callbacks": False})
    found = World(redis, redis_url, sandbox)
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


def hurried(world: World, conversation: str, died: list[str], until: Callable[[], bool]) -> Callable[[], bool]:
    """The waits between tries, and the leases that turns left behind when they died, end at once."""
    key = f"boss:conv:{conversation}"

    def look() -> bool:
        while died:
            world.redis.hset(f"boss:conv:{died.pop()}", "lease_end", 1)
        if int(cast("Any", world.redis.hget(key, "lease_end")) or 0) <= 1:
            world.redis.hset(key, "not_before", 0)
            world.redis.zadd("boss:due", {conversation: 0}, xx=True)
            world.redis.delete(f"boss:wake:{conversation}")
        return until()

    return look


@pytest.mark.parametrize(("kind", "reason"), [
    ("model", "too_many_errors"), ("code", "too_many_errors"), ("record", "unreadable"), ("script", "too_many_lost_leases"),
])  # fmt: skip
def test_a_poisoned_message_parks_alone_and_the_others_keep_their_order(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: str, reason: str
) -> None:
    """The model refuses it, our own code trips over it, its record is broken, a script fails on it: the rest is answered, in order."""
    if kind == "model":
        world.sandbox.faults(anthropic={"fail": [{"fault": "404", "times": None, "match": POISON}]})
    else:
        world.model = Echo(broken=kind == "code")
    before = [world.text("first"), world.text("second")]
    poison = world.text(POISON)
    after = [world.text("third"), world.text("fourth")]
    if kind == "record":
        world.redis.hset(f"boss:msg:{poison.id}", "event", "{broken")
    died = refuse_to_store(monkeypatch) if kind == "script" else []
    world.forgiven = (ResponseError,) if kind == "script" else ()
    others = [*before, *after]

    world.drive(hurried(world, world.conversation(poison), died, lambda: all(world.state(event) == "answered" for event in others)), 20)
    assert world.state(poison) == f"parked:{reason}"
    sent = "\n".join(entry["request"]["body"] for entry in world.sandbox.journal("twilio.create") if entry["accepted"])
    told = [word for word in sent.replace("You wrote:", "").split() if word in ("first", "second", "third", "fourth")]
    assert told == ["first", "second", "third", "fourth"]
    assert POISON not in sent.replace(notices.GENERAL, "")
