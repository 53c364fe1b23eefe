"""A turn from claim to finish, against the real server, the real SDKs and the sandbox; counted at the sandbox's journal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest
from redis import Redis
from structlog.testing import capture_logs

from shared.mailbox import calls
from supervisor_worker.assistant import notices
from supervisor_worker.assistant.claude.client import ModelAnswer
from supervisor_worker.assistant.prompt import Prompt
from supervisor_worker.channels import formats
from supervisor_worker.turns.context import TurnContext
from supervisor_worker.turns.turn import run_turn
from tests.integration.turn_world import World, token
from tests.support.sandbox import SandboxProcess


@pytest.fixture
def world(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[World]:
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    found = World(redis, redis_url, sandbox)
    yield found
    found.close()


def test_a_text_is_answered_once_with_a_callback_that_names_reply_and_attempt(world: World) -> None:
    """Recipient and sender come from the text; the reply's record holds the provider's id and the figures."""
    event = world.text("Test message")
    assert world.once(event) is False

    (sent,) = world.sandbox.journal("twilio.create")
    reply = world.reply(event)
    assert (sent["request"]["to"], sent["request"]["from"]) == ("+15551234567", "+15559876543")
    assert "Test message" in sent["request"]["body"]
    names = f"reply={reply.id}&attempt={reply.attempts[0].id}&pair={world.identities.pair(event.to, event.from_)}"
    assert sent["request"]["params"]["StatusCallback"].endswith(f"/sms/status?{names}#rc=5&rp=all")
    assert (world.state(event), reply.state, reply.attempts[0].provider_id) == ("answered", "sent", sent["sid"])
    (stored,) = world.ledger("reply_stored", reply=reply.id)
    assert int(stored.fields["output_tokens"]) > 0
    assert stored.fields["model"] == world.settings.boss_model


def test_a_mail_is_answered_in_its_thread(world: World) -> None:
    """In-Reply-To, full References, one Re:, our own Message-ID and Auto-Submitted."""
    event = world.mail(subject="RE: Re: Plans", message_id="<3@u.example>", references=("<1@u.example>", "<2@b.example>"))
    world.once(event)

    (sent,) = world.sandbox.journal("sendgrid.send")
    reply, mail = world.reply(event), sent["request"]
    headers = {name.lower(): value for name, value in mail["headers"].items()}
    assert mail["subject"] == "Re: Plans"
    assert headers["in-reply-to"] == "<3@u.example>"
    assert headers["references"] == "<1@u.example> <2@b.example> <3@u.example>"
    assert headers["auto-submitted"] == "auto-replied"
    assert headers["message-id"] == f"<{reply.id}@example.com>"
    assert mail["custom_args"] == {"reply": reply.id, "attempt": reply.attempts[0].id, "pair": world.identities.pair(event.to, event.from_)}
    assert (world.state(event), reply.state) == ("answered", "sent")
    assert reply.attempts[0].provider_id


def test_texts_that_wait_together_make_one_turn_and_the_next_turn_remembers_them(world: World) -> None:
    """Several texts are joined in order; the next question shows them and the answer."""
    first, second = world.text("One"), world.text("Two")
    world.once(first)
    third = world.text("Three")
    world.once(third)

    asked = [entry["request"]["messages"] for entry in world.sandbox.journal("anthropic.messages")]
    assert asked[0] == [{"role": "user", "content": "One\n\nTwo"}]
    assert [line["role"] for line in asked[1]] == ["user", "assistant", "user"]
    assert asked[1][0]["content"] == "One\n\nTwo"
    assert asked[1][2]["content"] == "Three"
    assert [world.state(event) for event in (first, second, third)] == ["answered"] * 3


def test_a_text_that_comes_while_a_turn_runs_is_read_by_the_next(world: World) -> None:
    """`run_turn` says that messages remain."""
    world.sandbox.faults(anthropic={"latency_seconds": 0.3})
    first = world.text("One")

    async def scenario(context: TurnContext) -> bool:
        turn = asyncio.create_task(run_turn(world.conversation(first), token(), context))
        await until(lambda: world.sandbox.count("anthropic.messages", accepted=None) == 1)
        world.text("Two")
        return await turn

    assert world.run(scenario) is True
    world.drive(lambda: world.sandbox.count("twilio.create") == 2)


def test_a_long_answer_is_asked_shorter_once(world: World) -> None:
    """Over 1,600 characters: a second question, whose answer is sent whole."""
    world.sandbox.faults(anthropic={"length": 3000})
    event = world.text("Tell me everything")
    world.once(event)

    (sent,) = world.sandbox.journal("twilio.create", accepted=True)
    assert len(sent["request"]["body"]) <= 1200
    assert world.sandbox.count("anthropic.messages", accepted=None) == 2
    assert world.ledger("reply_stored")[0].fields["calls"] == "2"


def test_an_answer_that_stays_too_long_is_cut_at_a_sentence(world: World) -> None:
    """Never more than 1,600 characters, never in the middle of a sentence, and marked."""
    world.sandbox.faults(anthropic={"text": "This is a sentence of a stubborn model. " * 100})
    world.once(world.text("Tell me everything"))

    (sent,) = world.sandbox.journal("twilio.create", accepted=True)
    body = sent["request"]["body"]
    assert 1500 < len(body) <= 1600
    assert body.endswith("stubborn model. [...]")


@pytest.mark.parametrize(
    ("faults", "answer"),
    [
        ({"stop_reason": "refusal", "text": "I will not, because"}, notices.REFUSED),
        ({"stop_reason": "refusal", "content": []}, notices.REFUSED),
        ({"stop_reason": "max_tokens", "text": "One whole sentence. Another that breaks o"}, "One whole sentence. [...]"),
        ({"thinking": "hm", "text": "Yes."}, "Yes."),
        ({"content": [{"type": "text", "text": "In "}, {"type": "text", "text": "two."}]}, "In two."),
        ({"text": "**Bold** and `code`"}, "Bold and code"),
    ],
)
def test_the_models_answer_is_read_as_it_is_meant(world: World, faults: dict[str, object], answer: str) -> None:
    """Refusals become a plain sentence, truncated answers end at one, blocks are joined, Markdown is stripped."""
    world.sandbox.faults(anthropic=faults)
    world.once(world.text())
    (sent,) = world.sandbox.journal("twilio.create", accepted=True)
    assert sent["request"]["body"] == answer


def test_an_opt_out_between_store_and_send_stops_the_reply(world: World) -> None:
    """The script that allows sending sees it, and the turn ends as ignored."""
    event = world.text()
    world.sandbox.faults(anthropic={"latency_seconds": 0.3})

    async def scenario(context: TurnContext) -> None:
        turn = asyncio.create_task(run_turn(world.conversation(event), token(), context))
        await until(lambda: world.sandbox.count("anthropic.messages", accepted=None) == 1)
        world.mailbox.run(calls.opt_out(world.identities.pair(event.to, event.from_), out=True))
        await turn

    world.run(scenario)
    assert world.sandbox.count("twilio.create", accepted=None) == 0
    assert world.state(event) == "ignored:opted_out"


def test_a_handed_over_message_is_not_answered_twice_and_its_neighbours_are(world: World) -> None:
    """The client that took one text over answers it; the other text of the turn gets a turn of its own."""
    first, second = world.text("Mine"), world.text("Yours")
    world.sandbox.faults(anthropic={"latency_seconds": 0.3})

    async def scenario(context: TurnContext) -> bool:
        turn = asyncio.create_task(run_turn(world.conversation(first), token(), context))
        await until(lambda: world.sandbox.count("anthropic.messages", accepted=None) == 1)
        assert world.mailbox.run(calls.hand_over(first.id, retention_ms=60_000)) == "handed_over"
        return await turn

    assert world.run(scenario) is True
    world.drive(lambda: world.state(second) == "answered")
    (sent,) = world.sandbox.journal("twilio.create")
    assert "Yours" in sent["request"]["body"]
    assert "Mine" not in sent["request"]["body"]
    assert world.state(first) == "handed_over"


def test_a_bridge_message_is_answered_by_storing_its_reply(world: World) -> None:
    """No provider hears of it."""
    event = world.text("From here", kind="bridge")
    world.once(event)
    assert world.state(event) == "answered"
    assert world.sandbox.count("twilio.create", accepted=None) == 0


def test_the_fifth_error_parks_the_message_alone_and_tells_the_user_with_a_fixed_sentence(world: World) -> None:
    """A message that makes the model fail five times does not stop the conversation; the notice asks no model."""
    world.sandbox.faults(anthropic={"fail": [{"fault": "404", "times": None, "match": "poison"}]})
    bad = world.text("poison")
    world.drive(lambda: world.message(bad).errors == 2)
    good = world.text("harmless")
    world.drive(lambda: world.state(good) == "answered" and world.sandbox.count("twilio.create") == 2, 20)

    assert world.state(bad) == "parked:too_many_errors"
    bodies = [entry["request"]["body"] for entry in world.sandbox.journal("twilio.create")]
    assert sorted(body == notices.GENERAL for body in bodies) == [False, True]
    assert len([e for e in world.sandbox.journal("anthropic.messages") if "poison" in str(e["request"])]) == 5


def test_a_sixth_lost_lease_parks_the_message(world: World) -> None:
    """A message whose worker died six times is not tried a seventh."""
    event = world.text()
    world.redis.hset(f"boss:msg:{event.id}", "lost", 6)
    world.drive(lambda: world.sandbox.count("twilio.create") == 1)
    assert world.state(event) == "parked:too_many_lost_leases"
    assert world.sandbox.count("anthropic.messages", accepted=None) == 0


def test_a_reply_that_was_taken_is_answered_whatever_the_counts_say(world: World) -> None:
    """A worker that dies for the sixth time between the provider's yes and `finish` has answered the message."""
    event = world.text()
    conversation, holder = world.conversation(event), token()
    turn = world.mailbox.run(calls.claim(conversation, holder, f"t-{holder[2:]}", lease_ms=60_000)).turn
    assert turn is not None
    command = formats.reply(event, "Yes.", turn.reply_id)
    world.mailbox.run(calls.store_reply(conversation, holder, turn, command, limits=calls.SendLimits(1, 1, 60_000)))
    world.mailbox.run(calls.sending(conversation, holder, turn.reply_id, "a-1", limits=calls.SendLimits(1, 1, 60_000)))
    world.mailbox.run(calls.outcome(turn.reply_id, "a-1", "accepted", retention_ms=60_000, provider_id="SM1"))
    world.redis.hset(f"boss:msg:{event.id}", "lost", 5)
    world.redis.hset(f"boss:conv:{conversation}", "lease_end", 1)
    world.once(event)  # counts the sixth loss and waits
    world.drive(lambda: world.state(event) == "answered")
    assert world.sandbox.count("twilio.create", accepted=None) == 0


def test_what_the_provider_answered_is_recorded_by_a_holder_that_lost_its_lease(world: World) -> None:
    """It changes nothing else: the turn belongs to the other holder."""
    world.sandbox.faults(twilio={"latency_seconds": 0.4})
    event = world.text()

    async def scenario(context: TurnContext) -> bool:
        turn = asyncio.create_task(run_turn(world.conversation(event), token(), context))
        await until(lambda: world.sandbox.count("twilio.create") == 1)
        world.redis.hset(f"boss:conv:{world.conversation(event)}", "token", "k-other")
        return await turn

    assert world.run(scenario) is False
    reply = world.reply(event)
    assert (reply.state, reply.attempts[0].outcome) == ("sent", "accepted")
    assert world.state(event) == "in_turn"


def test_a_fault_of_our_own_counts_and_keeps_its_words_to_itself(world: World) -> None:
    """An unexpected error backs off, counted; neither log nor ledger quotes the message."""

    class Broken:
        async def think(self, prompt: Prompt) -> ModelAnswer:
            """Quote the user in an error."""
            raise ValueError(prompt.messages[0].text)

        async def aclose(self) -> None:
            """Nothing is open."""

    world.model = Broken()
    event = world.text("the secret words")
    with capture_logs() as logs:
        assert world.once(event) is False
    assert world.message(event).errors == 1
    (line,) = world.ledger("backoff")
    assert line.fields["reason"] == "internal_ValueError"
    assert {entry["action"] for entry in logs} == {"turn_failed"}
    assert "secret" not in str(logs) + world.story()


def test_an_outage_ends_with_one_sentence_when_the_message_is_too_old(world: World) -> None:
    """Uncounted while it lasts; then parked, and the user is told once."""
    world.environment = {"ANSWER_WITHIN_MINUTES": 0.01}
    world.sandbox.faults(anthropic={"fail": [{"fault": "529", "times": None}]})
    event = world.text()
    world.drive(lambda: world.sandbox.count("twilio.create") == 1)
    (sent,) = world.sandbox.journal("twilio.create")
    assert sent["request"]["body"] == notices.NOTICES["outage"]
    assert (world.state(event), world.message(event).errors) == ("parked:outage", 0)


def test_a_message_whose_text_is_gone_is_parked_and_its_neighbour_answered(world: World) -> None:
    """An expired body among readable ones is set apart first."""
    gone, fine = world.text("gone"), world.text("fine")
    world.redis.hset(f"boss:msg:{gone.id}", "event", "")
    world.drive(lambda: world.state(fine) == "answered")
    assert world.state(gone) == "parked:unreadable"


def test_a_stored_reply_is_resumed_as_it_is(world: World) -> None:
    """After a crash between store and send, the model is not asked again."""
    event = world.text()
    claim = world.mailbox.run(calls.claim(world.conversation(event), token(), "t-first", lease_ms=1))
    assert claim.turn is not None
    world.sandbox.faults(anthropic={"text": "First thought."})
    world.redis.hset(f"boss:conv:{world.conversation(event)}", "lease_end", 0)
    world.sandbox.faults(twilio={"fail": [{"fault": "429", "times": 1}]})
    world.once(event)  # stores, and is told to come back later
    world.sandbox.faults(anthropic={"text": "Second thought."})
    world.drive(lambda: world.state(event) == "answered")
    assert [entry["request"]["body"] for entry in world.sandbox.journal("twilio.create", accepted=True)] == ["First thought."]
    assert world.sandbox.count("anthropic.messages", accepted=None) == 1


def test_a_stolen_lease_cancels_thinking_and_changes_nothing(world: World) -> None:
    """The former holder neither stores nor sends."""
    world.environment = {"LEASE_SECONDS": 1.2, "SEND_TIMEOUT_SECONDS": 0.3, "CLAUDE_TIMEOUT_SECONDS": 10}
    world.sandbox.faults(anthropic={"latency_seconds": 8})
    event = world.text()

    async def scenario(context: TurnContext) -> bool:
        turn = asyncio.create_task(run_turn(world.conversation(event), token(), context))
        await until(lambda: world.sandbox.count("anthropic.messages", accepted=None) == 1)
        world.redis.hset(f"boss:conv:{world.conversation(event)}", "token", "k-other")
        return await asyncio.wait_for(turn, 2)

    assert world.run(scenario) is False
    assert world.redis.hget(f"boss:conv:{world.conversation(event)}", "token") == b"k-other"
    assert not world.ledger("reply_stored")
    assert not world.ledger("backoff")


def test_a_turn_cancelled_while_thinking_is_due_at_once_and_counts_nothing(world: World) -> None:
    """Warm shutdown: released within a second, and the next worker answers it."""
    world.sandbox.faults(anthropic={"latency_seconds": 1.2})
    event = world.text()

    async def scenario(context: TurnContext) -> float:
        turn = asyncio.create_task(run_turn(world.conversation(event), token(), context))
        await until(lambda: world.sandbox.count("anthropic.messages", accepted=None) == 1)
        context.stopping.set()
        began = time.monotonic()
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn
        assert await run_turn(world.conversation(event), token(), context) is False
        return time.monotonic() - began

    assert world.run(scenario) < 0.5
    (line,) = world.ledger("backoff")
    assert (line.fields["reason"], line.fields["delay"], line.fields["counted"]) == ("shutdown", "0", "0")
    world.sandbox.faults(anthropic={"latency_seconds": 0})
    world.drive(lambda: world.state(event) == "answered")
    assert (world.message(event).errors, world.message(event).lost) == (0, 0)


def test_a_turn_cancelled_with_a_request_in_flight_records_its_outcome(world: World) -> None:
    """The request gets its grace; the reply is sent, recorded and finished, once."""
    world.sandbox.faults(twilio={"latency_seconds": 0.5})
    event = world.text()

    async def scenario(context: TurnContext) -> None:
        turn = asyncio.create_task(run_turn(world.conversation(event), token(), context))
        await until(lambda: world.sandbox.count("twilio.create") == 1)
        context.stopping.set()
        assert len(context.in_flight) == 1
        turn.cancel()
        assert await turn is False
        assert not context.in_flight

    world.run(scenario)
    assert (world.state(event), world.reply(event).state) == ("answered", "sent")


def test_a_request_that_outlasts_the_grace_stays_sending_for_the_next_holder(world: World) -> None:
    """No second copy: the next holder looks it up."""
    world.environment = {"SHUTDOWN_GRACE_SECONDS": 0.1}
    world.sandbox.faults(twilio={"fail": [{"fault": "hang", "accept": True}]})
    event = world.text()

    async def scenario(context: TurnContext) -> None:
        turn = asyncio.create_task(run_turn(world.conversation(event), token(), context))
        await until(lambda: world.sandbox.count("twilio.create") == 1)
        context.stopping.set()
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn

    world.run(scenario)
    assert world.reply(event).state == "sending"
    world.drive(lambda: world.state(event) == "answered")
    assert world.sandbox.count("twilio.create", accepted=None) == 1


def test_a_hundred_turns_wait_together(world: World) -> None:
    """One process, one loop: a hundred answers of 0.5 s do not take 50 s."""
    world.environment = {"CLAUDE_TIMEOUT_SECONDS": 20}
    world.sandbox.faults(anthropic={"latency_seconds": 0.5})
    events = [world.text("Hi", f"+1555200{number:04}") for number in range(100)]
    began = time.monotonic()
    world.drive(lambda: world.sandbox.count("twilio.create") == len(events), 20)
    assert time.monotonic() - began < 10
    assert {world.state(event) for event in events} == {"answered"}


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    """Wait on the loop for a condition."""
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - what is waited for is in another process
            await asyncio.sleep(0.01)
