"""What turns cost: no day's bound is passed, whatever becomes of the answers, and nobody waits for what another has used."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from redis import Redis

from boss.checks.spending import persons
from boss.commands.spending import lines
from shared.config.prices import shipped
from shared.config.secret_rules import SANDBOX_CREDENTIALS
from shared.mailbox.calls import DAY_MS
from shared.model.addresses import PhoneNumber
from shared.model.events import Received
from shared.model.prices import TokenUsage
from shared.model.users import LOCAL_USER, Users
from shared.operations.people import People
from shared.operations.spending import spending_report
from supervisor_worker.assistant import price
from supervisor_worker.assistant.costs import Costs
from supervisor_worker.turns.context import TurnContext
from supervisor_worker.turns.moved_zones import publish_zones
from supervisor_worker.turns.turn import run_turn
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment, token

PHONES = [f"+1555{number:07}" for number in range(2_000_000, 2_000_050)]


@pytest.fixture
def environment(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[TurnEnvironment]:
    """Real bounds: as with real providers, which only live at another address."""
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    hosts = dict.fromkeys(("TWILIO_API_BASE_URL", "SENDGRID_API_BASE_URL", "ANTHROPIC_BASE_URL"), sandbox.url)
    keys = {name.upper(): value for name, value in SANDBOX_CREDENTIALS.items()}
    real = {"SANDBOX": "off", "CLAUDE_TIMEOUT_SECONDS": 20, **hosts, **keys}
    found = TurnEnvironment(redis, redis_url, sandbox, real)
    yield found
    found.close()


def books(environment: TurnEnvironment) -> dict[str, int]:
    """Of today, by the server's clock."""
    found = cast("dict[bytes, bytes]", environment.redis.hgetall(f"boss:spent:{cast('Any', environment.redis.time())[0] * 1000 // DAY_MS}"))
    return {name.decode(): int(value) for name, value in found.items()}


def scripts_of(environment: TurnEnvironment, event: Received) -> list[str]:
    """The scripts that a message's turn calls."""
    names: list[str] = []

    async def scenario(context: TurnContext) -> None:
        run = context.mailbox.run

        async def counted(call: Any) -> Any:
            names.append(call.name)
            return await run(call)

        context.mailbox.run = counted  # type: ignore[method-assign]
        await run_turn(environment.conversation(event), token(), context)

    environment.run(scenario)
    return names


def test_a_question_behind_tools_is_reserved_by_the_step_before_it(environment: TurnEnvironment) -> None:
    """In no round trip of its own, unless a result is longer than was reserved for; and each is settled."""
    tools = [{"name": "remember", "input": {"text": "allergic to nuts"}}, {"name": "list_memory", "input": {}}]
    environment.sandbox.script({"calls": tools}, {"calls": tools[:1]}, {"text": "I will."})
    names = scripts_of(environment, environment.text("Remember that I am allergic to nuts"))
    assert names == ["claim", "step", "step", "step", "step", "step", "store_reply", "outcome"]
    found = books(environment)
    assert (found["reserved"], found["money_reserved"], found["turns"], found["calls"], found["open"]) == (0, 0, 1, 3, 0)
    for number in range(8):
        environment.sandbox.script({"calls": [{"name": "remember", "input": {"text": str(number) * 500}}]}, {"text": "I will."})
        scripts_of(environment, environment.text("Remember it"))
    environment.sandbox.script({"calls": tools[1:]}, {"text": "I do."})
    names = scripts_of(environment, environment.text("What do you remember?"))
    assert [name for name in names if name != "memory_of"] == ["claim", "step", "step", "reserve", "store_reply", "outcome"]
    assert (books(environment)["reserved"], books(environment)["open"]) == (0, 0)


def test_a_plain_text_costs_no_round_trip_more(environment: TurnEnvironment) -> None:
    """Three calls of scripts: claim, store, outcome; and what was used is what the model says."""
    assert scripts_of(environment, environment.text("Hello")) == ["claim", "store_reply", "outcome"]
    (stored,) = environment.ledger("reply_stored")
    found = books(environment)
    assert found["tokens"] == int(stored.fields["input_tokens"]) + int(stored.fields["output_tokens"])
    assert (found["reserved"], found["turns"], found["calls"], found["open"]) == (0, 1, 1, 0)
    read = int(stored.fields["cache_read_tokens"])
    used = Costs(environment.settings, environment.users, shipped()).price(environment.settings.boss_model)
    least, most = (used.cost(each) for each in split(int(stored.fields["input_tokens"]) - read, int(stored.fields["output_tokens"]), read))
    assert 0 < least <= found["money"] <= most
    assert found["money_reserved"] == 0


@pytest.mark.parametrize("fault", [{"fault": "broken_json"}, {"fault": "hang"}, {"fault": "reset_after_accept"}])
def test_no_answer_goes_by_the_bound_because_it_was_no_use(environment: TurnEnvironment, fault: dict[str, Any]) -> None:
    """Ten people, and answers that nobody can read, that never come, that break off: each costs at least what it may have cost."""
    environment.environment |= {"DAILY_TOKENS": 20_000, "SENDER_DAILY_SHARE": 1, "CLAUDE_TIMEOUT_SECONDS": 0.3}
    environment.sandbox.faults(anthropic={"fail": [{**fault, "times": None}], "usage": {"output_tokens": 4_000}})
    events = [environment.text("Hello", phone) for phone in PHONES[:10]]
    environment.drive(lambda: bool(environment.ledger("spend_stop")) and not books(environment)["open"], 20)
    made = environment.sandbox.count("anthropic.messages", accepted=None)
    found = books(environment)
    assert 0 < found["tokens"] <= 20_000
    assert 4_000 * made <= 20_000, "no more was asked than there was room for, had each answer been as long as it may"
    assert found["failed"] == found["calls"] == made
    assert all(environment.state(event) in ("pending", "in_turn") for event in events)


def test_a_turn_that_is_cancelled_while_it_asks_costs_its_whole_amount(environment: TurnEnvironment) -> None:
    """Nobody will hear what it used; one that has not asked yet costs nothing."""
    environment.sandbox.faults(anthropic={"latency_seconds": 5})
    event = environment.text("Hello")

    async def scenario(context: TurnContext) -> None:
        turn = asyncio.create_task(run_turn(environment.conversation(event), token(), context))
        await until(lambda: environment.sandbox.count("anthropic.messages", accepted=None) == 1)
        reserved = books(environment)["reserved"]
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn
        found = books(environment)
        assert (found["tokens"], found["reserved"], found["failed"]) == (reserved, 0, 1)

    environment.run(scenario)


def test_one_sender_s_long_texts_use_up_nobody_else_s_day(environment: TurnEnvironment) -> None:
    """It alone waits, is told once, and reads when it goes on; a higher share lets it go on at once."""
    environment.environment |= {"DAILY_TOKENS": 200_000, "SENDER_DAILY_SHARE": 0.2}
    environment.users = Users([LOCAL_USER] * 10)
    environment.sandbox.faults(anthropic={"match": "greedy", "usage": {"output_tokens": 8_000}})
    greedy = [environment.text("greedy 0", PHONES[0])]
    for number in range(1, 8):
        environment.drive(lambda: environment.state(greedy[-1]) == "answered" or bool(environment.ledger("notice")), 20)
        if environment.ledger("notice"):
            break
        greedy.append(environment.text(f"greedy {number}", PHONES[0]))
    environment.drive(lambda: len(told(environment)) == 1, 20)
    tomorrow = datetime.now(UTC).replace(hour=0, minute=0) + timedelta(days=1)
    assert told(environment) == [
        f"You have used up your share of what I may think about in a day. I will answer you on {tomorrow:%A} from 00:00 (UTC)."
    ]
    others = [environment.text("modest", phone) for phone in PHONES[1:4]]
    environment.drive(lambda: all(environment.state(event) == "answered" for event in others), 20)
    assert environment.state(greedy[-1]) == "pending"
    share = price.day_bounds(environment.settings, environment.users).sender
    assert 20_000 <= share < 50_000
    assert max(value for name, value in books(environment).items() if name.startswith("tokens:")) <= share
    environment.environment |= {"SENDER_DAILY_SHARE": 1.0}
    environment.drive(lambda: environment.state(greedy[-1]) == "answered", 20)
    assert len(told(environment)) == 1


def test_a_message_longer_than_any_day_is_set_aside_and_its_sender_told(environment: TurnEnvironment) -> None:
    """It holds up nothing behind it."""
    environment.environment |= {"DAILY_TOKENS": 12_000}
    long = environment.text("\u0416" * 15_000)
    environment.drive(lambda: environment.state(long).startswith("parked"), 10)
    assert environment.state(long) == "parked:too_long"
    short = environment.text("Hello?")
    environment.drive(lambda: environment.state(short) == "answered", 10)
    assert any("in fewer words" in text for text in bodies(environment))


@pytest.mark.parametrize(
    "faults",
    [{"text": ""}, {"thinking_tokens": 100_000, "text": "never"}],
    ids=["nothing", "thinking alone"],
)
def test_one_user_s_odd_answers_delay_nobody_else(environment: TurnEnvironment, faults: dict[str, Any]) -> None:
    """Fifty users; everybody else is answered within two seconds of the usual, and the day's bound is not passed."""
    environment.environment |= {"LEASE_SECONDS": 60, "SEND_TIMEOUT_SECONDS": 10, "BOSS_MODEL": "claude-opus-5-5", "DAILY_TOKENS": 600_000}
    environment.sandbox.faults(anthropic={"latency_seconds": 0.2})

    def answered(word: str) -> float:
        events = [environment.text(word, phone) for phone in PHONES[1:]]
        began = time.monotonic()
        environment.drive(lambda: environment.sandbox.count("twilio.create", accepted=True) >= answers + len(events), 60)
        assert {environment.state(event) for event in events} == {"answered"}
        return time.monotonic() - began

    answers = 0
    usual = answered("usual")
    answers = environment.sandbox.count("twilio.create", accepted=True)
    environment.sandbox.faults(anthropic={**faults, "match": "odd"})
    odd = environment.text("odd", PHONES[0])
    assert answered("beside it") < usual + 2
    environment.drive(lambda: environment.state(odd) != "pending" and not books(environment)["open"], 20)
    assert books(environment)["tokens"] + books(environment)["reserved"] <= 600_000
    asked = [entry for entry in environment.sandbox.journal("anthropic.messages") if "odd" in str(entry["request"]["text"])]
    assert len(asked) == 2


def split(plain: int, output: int, read: int) -> tuple[TokenUsage, TokenUsage]:
    """What a call used if none of its prompt was written to the cache, and if all of it was."""
    return TokenUsage(input=plain, output=output, read=read), TokenUsage(write_5m=plain, output=output, read=read)


def test_a_month_whose_dollars_are_used_up_ends_texts_and_says_so_once(environment: TurnEnvironment) -> None:
    """By code, with the day from which it goes on; commands are answered all the same; the next text ends without a word."""
    environment.environment |= {"MONTHLY_DOLLARS": 0.2}
    server = datetime.fromtimestamp(cast("Any", environment.redis.time())[0], UTC)
    environment.redis.hset(f"boss:spent:{server:%Y-%m}", "money", 199_000)
    first = environment.text("Hello?")
    environment.drive(lambda: environment.state(first) == "answered", 10)
    second, command = environment.text("Hello again?"), environment.text("status")
    environment.drive(lambda: environment.state(command) == "answered" and environment.state(second) != "pending", 10)
    assert environment.state(second) == "answered:month_spent"
    following = (server.replace(day=1) + timedelta(days=32)).replace(day=1)
    said = f"I have used up what I may spend this month, and cannot answer until {following.day} {following:%B}."
    assert [text for text in bodies(environment) if "this month" in text] == [f"{said} Please write to me again then."]
    assert environment.sandbox.count("anthropic.messages", accepted=None) == 0
    assert len(environment.ledger("month_stop")) == 1


def test_a_person_s_month_ends_by_their_own_clock_and_nobody_else_s(environment: TurnEnvironment) -> None:
    """Also what is asked by the other number; and the figures are those that `boss spending` shows."""
    environment.environment |= {"PERSON_MONTHLY_DOLLARS": 0.2}
    others = [replace(LOCAL_USER, username=f"user-{number}", phone=PhoneNumber(PHONES[number])) for number in (0, 1)]
    environment.users = Users([replace(others[0], timezone="Pacific/Kiritimati"), others[1]])
    ada, ben = (environment.identities.user(user.username) for user in others)
    server = datetime.fromtimestamp(cast("Any", environment.redis.time())[0], UTC)
    local = server.astimezone(ZoneInfo("Pacific/Kiritimati"))
    environment.run(publish_zones)
    environment.redis.hset(f"boss:spent:{ada}:{local:%Y-%m}", "money", 199_000)
    refused, answered = (environment.text("Hello?", PHONES[number], user=f"user-{number}") for number in (0, 1))
    environment.drive(lambda: environment.state(refused) == environment.state(answered) == "answered", 10)
    following = (local.replace(day=1) + timedelta(days=32)).replace(day=1)
    assert any(f"spend on you this month, and I cannot answer until {following.day} {following:%B}" in text for text in bodies(environment))
    assert environment.sandbox.count("anthropic.messages", accepted=True) == 1
    people = People(environment.users.all, environment.identities)
    report = spending_report(environment.redis, people, environment.settings)
    before, person = report["persons"]
    assert (before["username"], before["user"], before["month"]["dollars"]) == ("user-0", ada, 0.199), "kept by an older version"
    assert (person["username"], person["user"]) == ("user-1", ben)
    assert person["month"] == person["today"] == report["today"] == report["month"]
    assert report["month"]["dollars"] > 0
    assert report["models_month"] == report["models_today"] == {environment.settings.boss_model: {**report["month"]}}
    assert report["days"] == {report["day"]: report["today"]}
    assert report["bounds"]["person_monthly_dollars"] == 0.2
    shown = list(lines(report))
    assert any(line.startswith("  user-1, this month") and " of $0.20" in line for line in shown), shown


def test_who_is_near_their_own_bound_is_named_to_the_operator(environment: TurnEnvironment) -> None:
    """By doctor, who is silent of it where persons have no bound; strangers' mails are nobody's."""
    environment.environment |= {"PERSON_MONTHLY_DOLLARS": 1, "PERSON_DAILY_DOLLARS": 1}
    month = f"{datetime.fromtimestamp(cast('Any', environment.redis.time())[0], UTC):%Y-%m}"
    for person, money in ((environment.identities.user("user"), 799_999), ("forwarded", 10_000), ("-", 10**9), ("u-gone", 999_999)):
        environment.redis.zadd("boss:spenders", {person: 1})
        environment.redis.hset(f"boss:spent:{person}:{month}", "money", money)

    def said() -> list[tuple[str, str]]:
        return [(found.status, found.detail) for found in persons(environment.settings, environment.redis)]

    assert said() == [("warn", "used: (no longer in the users file) 100%")]
    environment.redis.hset(f"boss:spent:{environment.identities.user('user')}:{month}", "money", 850_000)
    assert said() == [("warn", "used: (no longer in the users file) 100%, user 85%")]
    environment.environment |= {"PERSON_MONTHLY_DOLLARS": 0}
    assert said() == [("ok", "nobody has used four fifths")]
    environment.environment |= {"PERSON_DAILY_DOLLARS": 0}
    assert said() == []


def test_what_was_used_was_reserved_before(environment: TurnEnvironment) -> None:
    """The most that the sandbox's model can use of a question is less than what is reserved for it."""
    event = environment.text("How are you? " * 100)
    environment.once(event)
    assert 0 < books(environment)["tokens"] < price.dearest(environment.settings).fixed + len("How are you? " * 100)


def told(environment: TurnEnvironment) -> list[str]:
    """The sentences of ours that went out about waiting."""
    return [text for text in bodies(environment) if "share of what I may" in text]


def bodies(environment: TurnEnvironment) -> list[str]:
    """What went out."""
    return [entry["request"]["body"] for entry in environment.sandbox.journal("twilio.create", accepted=True)]


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    """Wait on the loop for a condition."""
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - what is waited for is in another process
            await asyncio.sleep(0.01)
