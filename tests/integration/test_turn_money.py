"""What turns cost: no day's bound is passed, whatever becomes of the answers, and nobody waits for what another has used."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from redis import Redis

from shared.config.secret_rules import SANDBOX_CREDENTIALS
from shared.mailbox.calls import DAY_MS
from shared.model.users import LOCAL_USER, Users
from supervisor_worker.assistant import price
from supervisor_worker.turns.context import TurnContext
from supervisor_worker.turns.turn import run_turn
from tests.integration.turn_world import World, token
from tests.support.sandbox import SandboxProcess

PHONES = [f"+1555{number:07}" for number in range(2_000_000, 2_000_050)]


@pytest.fixture
def world(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[World]:
    """Real bounds: as with real providers, which only live at another address."""
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    hosts = dict.fromkeys(("TWILIO_API_BASE_URL", "SENDGRID_API_BASE_URL", "ANTHROPIC_BASE_URL"), sandbox.url)
    keys = {name.upper(): value for name, value in SANDBOX_CREDENTIALS.items()}
    real = {"SANDBOX": "off", "CLAUDE_TIMEOUT_SECONDS": 20, **hosts, **keys}
    found = World(redis, redis_url, sandbox, real)
    yield found
    found.close()


def books(world: World) -> dict[str, int]:
    """Of today, by the server's clock."""
    found = cast("dict[bytes, bytes]", world.redis.hgetall(f"boss:spent:{cast('Any', world.redis.time())[0] * 1000 // DAY_MS}"))
    return {name.decode(): int(value) for name, value in found.items()}


def test_a_plain_text_costs_no_round_trip_more(world: World) -> None:
    """Three calls of scripts: claim, store, outcome; and what was used is what the model says."""
    names: list[str] = []

    async def scenario(context: TurnContext) -> None:
        run = context.mailbox.run

        async def counted(call: Any) -> Any:
            names.append(call.name)
            return await run(call)

        context.mailbox.run = counted  # type: ignore[method-assign]
        await run_turn(world.conversation(event), token(), context)

    event = world.text("Hello")
    world.run(scenario)
    assert names == ["claim", "store_reply", "outcome"]
    (stored,) = world.ledger("reply_stored")
    found = books(world)
    assert found["tokens"] == int(stored.fields["input_tokens"]) + int(stored.fields["output_tokens"])
    assert (found["reserved"], found["turns"], found["calls"], found["open"]) == (0, 1, 1, 0)


@pytest.mark.parametrize("fault", [{"fault": "broken_json"}, {"fault": "hang"}, {"fault": "reset_after_accept"}])
def test_no_answer_goes_by_the_bound_because_it_was_no_use(world: World, fault: dict[str, Any]) -> None:
    """Ten people, and answers that nobody can read, that never come, that break off: each costs at least what it may have cost."""
    world.environment |= {"DAILY_TOKENS": 20_000, "SENDER_DAILY_SHARE": 1, "CLAUDE_TIMEOUT_SECONDS": 0.3}
    world.sandbox.faults(anthropic={"fail": [{**fault, "times": None}], "usage": {"output_tokens": 4_000}})
    events = [world.text("Hello", phone) for phone in PHONES[:10]]
    world.drive(lambda: bool(world.ledger("spend_stop")) and not books(world)["open"], 20)
    made = world.sandbox.count("anthropic.messages", accepted=None)
    found = books(world)
    assert 0 < found["tokens"] <= 20_000
    assert 4_000 * made <= 20_000, "no more was asked than there was room for, had each answer been as long as it may"
    assert found["failed"] == found["calls"] == made
    assert all(world.state(event) in ("pending", "in_turn") for event in events)


def test_a_turn_that_is_cancelled_while_it_asks_costs_its_whole_amount(world: World) -> None:
    """Nobody will hear what it used; one that has not asked yet costs nothing."""
    world.sandbox.faults(anthropic={"latency_seconds": 5})
    event = world.text("Hello")

    async def scenario(context: TurnContext) -> None:
        turn = asyncio.create_task(run_turn(world.conversation(event), token(), context))
        await until(lambda: world.sandbox.count("anthropic.messages", accepted=None) == 1)
        reserved = books(world)["reserved"]
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn
        found = books(world)
        assert (found["tokens"], found["reserved"], found["failed"]) == (reserved, 0, 1)

    world.run(scenario)


def test_one_sender_s_long_texts_use_up_nobody_else_s_day(world: World) -> None:
    """It alone waits, is told once, and reads when it goes on; a higher share lets it go on at once."""
    world.environment |= {"DAILY_TOKENS": 100_000, "SENDER_DAILY_SHARE": 0.2}
    world.users = Users([LOCAL_USER] * 10)
    world.sandbox.faults(anthropic={"match": "greedy", "usage": {"output_tokens": 4_000}})
    greedy = [world.text("greedy 0", PHONES[0])]
    for number in range(1, 8):
        world.drive(lambda: world.state(greedy[-1]) == "answered" or bool(world.ledger("notice")), 20)
        if world.ledger("notice"):
            break
        greedy.append(world.text(f"greedy {number}", PHONES[0]))
    world.drive(lambda: len(told(world)) == 1, 20)
    tomorrow = datetime.now(UTC).replace(hour=0, minute=0) + timedelta(days=1)
    assert told(world) == [
        f"You have used up your share of what I may think about in a day. I will answer you on {tomorrow:%A} from 00:00 (UTC)."
    ]
    others = [world.text("modest", phone) for phone in PHONES[1:4]]
    world.drive(lambda: all(world.state(event) == "answered" for event in others), 20)
    assert world.state(greedy[-1]) == "pending"
    assert max(value for name, value in books(world).items() if name.startswith("tokens:")) <= 20_000
    world.environment |= {"SENDER_DAILY_SHARE": 1.0}
    world.drive(lambda: world.state(greedy[-1]) == "answered", 20)
    assert len(told(world)) == 1


def test_a_message_longer_than_any_day_is_set_aside_and_its_sender_told(world: World) -> None:
    """It holds up nothing behind it."""
    world.environment |= {"DAILY_TOKENS": 12_000}
    long = world.text("\u0416" * 15_000)
    world.drive(lambda: world.state(long).startswith("parked"), 10)
    assert world.state(long) == "parked:too_long"
    short = world.text("Hello?")
    world.drive(lambda: world.state(short) == "answered", 10)
    assert any("in fewer words" in text for text in bodies(world))


@pytest.mark.parametrize(
    "faults",
    [{"text": ""}, {"thinking_tokens": 100_000, "text": "never"}],
    ids=["nothing", "thinking alone"],
)
def test_one_user_s_odd_answers_delay_nobody_else(world: World, faults: dict[str, Any]) -> None:
    """Fifty users; everybody else is answered within two seconds of the usual, and the day's bound is not passed."""
    world.environment |= {"LEASE_SECONDS": 60, "SEND_TIMEOUT_SECONDS": 10, "BOSS_MODEL": "claude-opus-5-5", "DAILY_TOKENS": 600_000}
    world.sandbox.faults(anthropic={"latency_seconds": 0.2})

    def answered(word: str) -> float:
        events = [world.text(word, phone) for phone in PHONES[1:]]
        began = time.monotonic()
        world.drive(lambda: world.sandbox.count("twilio.create", accepted=True) >= answers + len(events), 60)
        assert {world.state(event) for event in events} == {"answered"}
        return time.monotonic() - began

    answers = 0
    usual = answered("usual")
    answers = world.sandbox.count("twilio.create", accepted=True)
    world.sandbox.faults(anthropic={**faults, "match": "odd"})
    odd = world.text("odd", PHONES[0])
    assert answered("beside it") < usual + 2
    world.drive(lambda: world.state(odd) != "pending" and not books(world)["open"], 20)
    assert books(world)["tokens"] + books(world)["reserved"] <= 600_000
    asked = [entry for entry in world.sandbox.journal("anthropic.messages") if "odd" in str(entry["request"]["text"])]
    assert len(asked) == 2


def test_what_was_used_was_reserved_before(world: World) -> None:
    """The most that the sandbox's model can use of a question is less than what is reserved for it."""
    event = world.text("How are you? " * 100)
    world.once(event)
    assert 0 < books(world)["tokens"] < price.dearest(world.settings).fixed + len("How are you? " * 100)


def told(world: World) -> list[str]:
    """The sentences of ours that went out about waiting."""
    return [text for text in bodies(world) if "share of what I may" in text]


def bodies(world: World) -> list[str]:
    """What went out."""
    return [entry["request"]["body"] for entry in world.sandbox.journal("twilio.create", accepted=True)]


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    """Wait on the loop for a condition."""
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - what is waited for is in another process
            await asyncio.sleep(0.01)
