"""A turn from claim to finish, against the real server, the real SDKs and the sandbox; counted at the sandbox's journal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import UTC

import pytest
from redis import Redis
from structlog.testing import capture_logs

from sandbox.engine.twilio_segments import count_segments
from shared.mailbox import calls
from shared.model.events import SendEmailResponse, SendSmsResponse
from shared.model.words import said
from shared.operations import messages
from shared.operations.people import People
from supervisor_worker.assistant import notices, time_notes
from supervisor_worker.assistant.claude.client import ModelAnswer
from supervisor_worker.assistant.prompt import Prompt
from supervisor_worker.channels import formats
from supervisor_worker.turns.context import TurnContext
from supervisor_worker.turns.turn import run_turn
from tests.support.mail_html import MailHtml
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment, text_of, token


@pytest.fixture
def environment(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[TurnEnvironment]:
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    found = TurnEnvironment(redis, redis_url, sandbox)
    yield found
    found.close()


def test_a_text_is_answered_once_with_a_callback_that_names_reply_and_attempt(environment: TurnEnvironment) -> None:
    """Recipient and sender come from the text; the reply's record holds the provider's id and the figures."""
    event = environment.text("Test message")
    assert environment.once(event) is False

    (sent,) = environment.sandbox.journal("twilio.create")
    reply = environment.reply(event)
    assert (sent["request"]["to"], sent["request"]["from"]) == ("+15551234567", "+15559876543")
    assert "Test message" in sent["request"]["body"]
    names = f"reply={reply.id}&attempt={reply.attempts[0].id}&pair={environment.identities.pair(event.to, event.from_)}"
    assert sent["request"]["params"]["StatusCallback"].endswith(f"/sms/status?{names}#rc=5&rp=all")
    assert (environment.state(event), reply.state, reply.attempts[0].provider_id) == ("answered", "sent", sent["sid"])
    (stored,) = environment.ledger("reply_stored", reply=reply.id)
    assert int(stored.fields["output_tokens"]) > 0
    assert stored.fields["model"] == environment.settings.boss_model


def test_a_mail_is_answered_in_its_thread(environment: TurnEnvironment) -> None:
    """In-Reply-To, full References, one Re:, our own Message-ID and Auto-Submitted."""
    event = environment.mail(subject="RE: Re: Plans", message_id="<3@u.example>", references=("<1@u.example>", "<2@b.example>"))
    environment.once(event)

    (sent,) = environment.sandbox.journal("sendgrid.send")
    reply, mail = environment.reply(event), sent["request"]
    headers = {name.lower(): value for name, value in mail["headers"].items()}
    assert mail["subject"] == "Re: Plans"
    assert headers["in-reply-to"] == "<3@u.example>"
    assert headers["references"] == "<1@u.example> <2@b.example> <3@u.example>"
    assert headers["auto-submitted"] == "auto-replied"
    assert headers["message-id"] == f"<{reply.id}@example.com>"
    assert mail["custom_args"] == {
        "reply": reply.id,
        "attempt": reply.attempts[0].id,
        "pair": environment.identities.pair(event.to, event.from_),
    }
    assert (environment.state(event), reply.state) == ("answered", "sent")
    assert reply.attempts[0].provider_id


def test_what_is_stored_of_a_mail_is_what_is_sent(environment: TurnEnvironment) -> None:
    """Both parts and the Boss's name: a second attempt, of whatever version, makes nothing anew."""
    environment.sandbox.faults(anthropic={"text": "**Yes**, see [the plan](https://plan.example).\n\n![x](https://pixel.example/p)"})
    event = environment.mail()
    environment.once(event)
    (sent,) = environment.sandbox.journal("sendgrid.send", accepted=True)
    command, request = environment.reply(event).command, sent["request"]
    assert isinstance(command, SendEmailResponse)
    assert (command.body, command.html, command.from_name) == (request["text"], request["html"], request["from_name"])
    assert (command.from_name, command.body) == ("Boss", "Yes, see the plan (https://plan.example).\n\nx (https://pixel.example/p)")
    assert MailHtml(command.html).addresses == ["https://plan.example"]
    assert [block["type"] for block in request["mail"]["content"]] == ["text/plain", "text/html"]


def test_texts_that_wait_together_make_one_turn_and_the_next_turn_remembers_them(environment: TurnEnvironment) -> None:
    """Several texts are joined in order; the next question shows them and the answer."""
    first, second = environment.text("One"), environment.text("Two")
    environment.once(first)
    third = environment.text("Three")
    environment.once(third)

    asked = [question["messages"] for question in environment.questions()]
    assert asked[0] == [{"role": "user", "content": "One\n\nTwo"}]
    assert [line["role"] for line in asked[1]] == ["user", "assistant", "user"]
    assert asked[1][0]["content"] == "One\n\nTwo"
    assert asked[1][2]["content"] == "Three"
    assert [environment.state(event) for event in (first, second, third)] == ["answered"] * 3


def test_a_text_that_comes_while_a_turn_runs_is_read_by_the_next(environment: TurnEnvironment) -> None:
    """`run_turn` says that messages remain."""
    environment.sandbox.faults(anthropic={"latency_seconds": 0.3})
    first = environment.text("One")

    async def scenario(context: TurnContext) -> bool:
        turn = asyncio.create_task(run_turn(environment.conversation(first), token(), context))
        await until(lambda: environment.sandbox.count("anthropic.messages", accepted=None) == 1)
        environment.text("Two")
        return await turn

    assert environment.run(scenario) is True
    environment.drive(lambda: environment.sandbox.count("twilio.create") == 2)


def test_a_long_answer_is_asked_shorter_once(environment: TurnEnvironment) -> None:
    """Over SMS_MAX_SEGMENTS: a second question, whose answer is sent whole."""
    environment.sandbox.faults(anthropic={"length": 3000})
    event = environment.text("Tell me everything")
    environment.once(event)

    (sent,) = environment.sandbox.journal("twilio.create", accepted=True)
    assert len(sent["request"]["body"]) <= 730
    assert environment.sandbox.count("anthropic.messages", accepted=None) == 2
    assert environment.ledger("reply_stored")[0].fields["calls"] == "2"


def test_an_answer_that_stays_too_long_is_cut_at_a_sentence_and_the_rest_kept(environment: TurnEnvironment) -> None:
    """What is stored is what is sent; it says how the rest is had, and its size stands in record, ledger and the operator's view."""
    whole = "This is a sentence of a **stubborn** model. " * 100
    environment.sandbox.faults(anthropic={"text": whole})
    event = environment.text("Tell me everything")
    environment.once(event)

    (sent,) = environment.sandbox.journal("twilio.create", accepted=True)
    body, reply = sent["request"]["body"], environment.reply(event)
    assert isinstance(reply.command, SendSmsResponse)
    assert body == reply.command.message
    assert 700 < len(body) <= 6 * 153
    assert body.endswith("stubborn model." + said("more_hint"))
    assert body.removesuffix(said("more_hint")) + " " + reply.command.rest == whole.replace("**", "").strip()
    assert (reply.segments, reply.encoding, reply.price_class) == (6, "GSM-7", "US")
    assert count_segments(body) == 6
    (stored,) = environment.ledger("reply_stored", reply=reply.id)
    assert {name: stored.fields[name] for name in ("segments", "encoding", "price_class")} == {
        "segments": "6", "encoding": "GSM-7", "price_class": "US",
    }  # fmt: skip
    assert environment.redis.hget("boss:counts", "segments:US:GSM-7") == b"6"
    shown = messages.view(environment.mailbox, People(environment.users.all, environment.identities), event.id, body=False)["reply"]
    assert shown is not None
    assert (shown["segments"], shown["encoding"], shown["price_class"]) == (6, "GSM-7", "US")
    assert shown["rest"] == f"{len(reply.command.rest)} characters"
    environment.once(environment.text("And then?"))
    said_before = environment.sandbox.journal("anthropic.messages")[-1]["request"]["messages"][1]["content"]
    assert str(said_before).endswith("stubborn model. [...]"), "our own line is none that the model may learn to write"


def test_the_operator_s_bound_on_segments_holds(environment: TurnEnvironment) -> None:
    """The model is told of it, and asked once more; what is sent keeps to it."""
    environment.environment["SMS_MAX_SEGMENTS"] = "1"
    environment.sandbox.faults(anthropic={"text": "Ein l\u00e4ngerer Satz \u2013 mit \u201eZeichen\u201c. " * 10})
    event = environment.text("Tell me everything")
    environment.once(event)

    asked = environment.sandbox.journal("anthropic.messages", accepted=True)
    assert "never more than 160, which are 1 of the segments" in " ".join(str(asked[0]["request"]["system"]).replace("\\n", " ").split())
    assert environment.reply(event).segments == 1
    assert environment.reply(event).encoding == "GSM-7"


@pytest.mark.parametrize(
    ("faults", "answer"),
    [
        ({"stop_reason": "refusal", "text": "I will not, because"}, said(notices.REFUSED)),
        ({"stop_reason": "refusal", "content": []}, said(notices.REFUSED)),
        ({"stop_reason": "max_tokens", "text": "One whole sentence. Another that breaks o"}, "One whole sentence. [...]"),
        ({"thinking": "hm", "text": "Yes."}, "Yes."),
        ({"content": [{"type": "text", "text": "In "}, {"type": "text", "text": "two."}]}, "In two."),
        ({"text": "**Bold** and `code`"}, "Bold and code"),
    ],
)
def test_the_models_answer_is_read_as_it_is_meant(environment: TurnEnvironment, faults: dict[str, object], answer: str) -> None:
    """Refusals become a plain sentence, truncated answers end at one, blocks are joined, Markdown is stripped."""
    environment.sandbox.faults(anthropic=faults)
    environment.once(environment.text())
    (sent,) = environment.sandbox.journal("twilio.create", accepted=True)
    assert sent["request"]["body"] == answer


def test_an_opt_out_between_store_and_send_stops_the_reply(environment: TurnEnvironment) -> None:
    """The script that allows sending sees it, and the turn ends as ignored."""
    event = environment.text()
    environment.sandbox.faults(anthropic={"latency_seconds": 0.3})

    async def scenario(context: TurnContext) -> None:
        turn = asyncio.create_task(run_turn(environment.conversation(event), token(), context))
        await until(lambda: environment.sandbox.count("anthropic.messages", accepted=None) == 1)
        environment.mailbox.run(calls.opt_out(environment.identities.pair(event.to, event.from_), out=True))
        await turn

    environment.run(scenario)
    assert environment.sandbox.count("twilio.create", accepted=None) == 0
    assert environment.state(event) == "ignored:opted_out"


def test_a_handed_over_message_is_not_answered_twice_and_its_neighbours_are(environment: TurnEnvironment) -> None:
    """The client that took one text over answers it; the other text of the turn gets a turn of its own."""
    first, second = environment.text("Mine"), environment.text("Yours")
    environment.sandbox.faults(anthropic={"latency_seconds": 0.3})

    async def scenario(context: TurnContext) -> bool:
        turn = asyncio.create_task(run_turn(environment.conversation(first), token(), context))
        await until(lambda: environment.sandbox.count("anthropic.messages", accepted=None) == 1)
        assert environment.mailbox.run(calls.hand_over(first.id, retention_ms=60_000)) == "handed_over"
        return await turn

    assert environment.run(scenario) is True
    environment.drive(lambda: environment.state(second) == "answered")
    (sent,) = environment.sandbox.journal("twilio.create")
    assert "Yours" in sent["request"]["body"]
    assert "Mine" not in sent["request"]["body"]
    assert environment.state(first) == "handed_over"


def test_a_bridge_message_is_answered_by_storing_its_reply(environment: TurnEnvironment) -> None:
    """No provider hears of it."""
    event = environment.text("From here", kind="bridge")
    environment.once(event)
    assert environment.state(event) == "answered"
    assert environment.sandbox.count("twilio.create", accepted=None) == 0


def test_the_fifth_error_parks_the_message_alone_and_tells_the_user_with_a_fixed_sentence(environment: TurnEnvironment) -> None:
    """A message that makes the model fail five times does not stop the conversation; the notice asks no model."""
    environment.sandbox.faults(anthropic={"fail": [{"fault": "404", "times": None, "match": "poison"}]})
    bad = environment.text("poison")
    environment.drive(lambda: environment.message(bad).errors == 2)
    good = environment.text("harmless")
    environment.drive(lambda: environment.state(good) == "answered" and environment.sandbox.count("twilio.create") == 2, 20)

    assert environment.state(bad) == "parked:too_many_errors"
    bodies = [entry["request"]["body"] for entry in environment.sandbox.journal("twilio.create")]
    assert sorted(body == said(notices.GENERAL) for body in bodies) == [False, True]
    assert len([e for e in environment.sandbox.journal("anthropic.messages") if "poison" in str(e["request"])]) == 5


def test_a_sixth_lost_lease_parks_the_message(environment: TurnEnvironment) -> None:
    """A message whose worker died six times is not tried a seventh."""
    event = environment.text()
    environment.redis.hset(f"boss:msg:{event.id}", "lost", 6)
    environment.drive(lambda: environment.sandbox.count("twilio.create") == 1)
    assert environment.state(event) == "parked:too_many_lost_leases"
    assert environment.sandbox.count("anthropic.messages", accepted=None) == 0


def test_a_reply_that_was_taken_is_answered_whatever_the_counts_say(environment: TurnEnvironment) -> None:
    """A worker that dies for the sixth time between the provider's yes and `finish` has answered the message."""
    event = environment.text()
    conversation, holder = environment.conversation(event), token()
    turn = environment.mailbox.run(calls.claim(conversation, holder, f"t-{holder[2:]}", lease_ms=60_000)).turn
    assert turn is not None
    command = formats.reply(event, "Yes.", turn.reply_id)
    environment.mailbox.run(calls.store_reply(conversation, holder, turn, command, limits=calls.SendLimits(1, 1, 60_000)))
    environment.mailbox.run(calls.sending(conversation, holder, turn.reply_id, "a-1", limits=calls.SendLimits(1, 1, 60_000)))
    environment.mailbox.run(calls.outcome(turn.reply_id, "a-1", "accepted", retention_ms=60_000, provider_id="SM1"))
    environment.redis.hset(f"boss:msg:{event.id}", "lost", 5)
    environment.redis.hset(f"boss:conv:{conversation}", "lease_end", 1)
    environment.once(event)  # counts the sixth loss and waits
    environment.drive(lambda: environment.state(event) == "answered")
    assert environment.sandbox.count("twilio.create", accepted=None) == 0


def test_what_the_provider_answered_is_recorded_by_a_holder_that_lost_its_lease(environment: TurnEnvironment) -> None:
    """It changes nothing else: the turn belongs to the other holder."""
    environment.sandbox.faults(twilio={"latency_seconds": 0.4})
    event = environment.text()

    async def scenario(context: TurnContext) -> bool:
        turn = asyncio.create_task(run_turn(environment.conversation(event), token(), context))
        await until(lambda: environment.sandbox.count("twilio.create") == 1)
        environment.redis.hset(f"boss:conv:{environment.conversation(event)}", "token", "k-other")
        return await turn

    assert environment.run(scenario) is False
    reply = environment.reply(event)
    assert (reply.state, reply.attempts[0].outcome) == ("sent", "accepted")
    assert environment.state(event) == "in_turn"


def test_a_fault_of_our_own_counts_and_keeps_its_words_to_itself(environment: TurnEnvironment) -> None:
    """An unexpected error backs off, counted; neither log nor ledger quotes the message."""

    class Broken:
        async def think(self, prompt: Prompt) -> ModelAnswer:
            """Quote the user in an error."""
            raise ValueError(prompt.messages[0].text)

        async def aclose(self) -> None:
            """Nothing is open."""

    environment.model = Broken()
    event = environment.text("the secret words")
    with capture_logs() as logs:
        assert environment.once(event) is False
    assert environment.message(event).errors == 1
    (line,) = environment.ledger("backoff")
    assert line.fields["reason"] == "internal_ValueError"
    assert {entry["action"] for entry in logs} == {"turn_failed"}
    assert "secret" not in str(logs) + environment.story()


def test_an_outage_ends_with_one_sentence_when_the_message_is_too_old(environment: TurnEnvironment) -> None:
    """Uncounted while it lasts; then parked, and the user is told once."""
    environment.environment = {"ANSWER_WITHIN_MINUTES": 0.01}
    environment.sandbox.faults(anthropic={"fail": [{"fault": "529", "times": None}]})
    event = environment.text()
    environment.drive(lambda: environment.sandbox.count("twilio.create") == 1)
    (sent,) = environment.sandbox.journal("twilio.create")
    assert sent["request"]["body"] == said("outage")
    assert (environment.state(event), environment.message(event).errors) == ("parked:outage", 0)


def test_a_message_whose_text_is_gone_is_parked_and_its_neighbour_answered(environment: TurnEnvironment) -> None:
    """An expired body among readable ones is set apart first."""
    gone, fine = environment.text("gone"), environment.text("fine")
    environment.redis.hset(f"boss:msg:{gone.id}", "event", "")
    environment.drive(lambda: environment.state(fine) == "answered")
    assert environment.state(gone) == "parked:unreadable"


def test_a_stored_reply_is_resumed_as_it_is(environment: TurnEnvironment) -> None:
    """After a crash between store and send, the model is not asked again."""
    event = environment.text()
    claim = environment.mailbox.run(calls.claim(environment.conversation(event), token(), "t-first", lease_ms=1))
    assert claim.turn is not None
    environment.sandbox.faults(anthropic={"text": "First thought."})
    environment.redis.hset(f"boss:conv:{environment.conversation(event)}", "lease_end", 0)
    environment.sandbox.faults(twilio={"fail": [{"fault": "429", "times": 1}]})
    environment.once(event)  # stores, and is told to come back later
    environment.sandbox.faults(anthropic={"text": "Second thought."})
    environment.drive(lambda: environment.state(event) == "answered")
    assert [entry["request"]["body"] for entry in environment.sandbox.journal("twilio.create", accepted=True)] == ["First thought."]
    assert environment.sandbox.count("anthropic.messages", accepted=None) == 1


def test_a_stolen_lease_cancels_thinking_and_changes_nothing(environment: TurnEnvironment) -> None:
    """The former holder neither stores nor sends."""
    environment.environment = {"LEASE_SECONDS": 1.2, "SEND_TIMEOUT_SECONDS": 0.3, "CLAUDE_TIMEOUT_SECONDS": 10}
    environment.sandbox.faults(anthropic={"latency_seconds": 8})
    event = environment.text()

    async def scenario(context: TurnContext) -> bool:
        turn = asyncio.create_task(run_turn(environment.conversation(event), token(), context))
        await until(lambda: environment.sandbox.count("anthropic.messages", accepted=None) == 1)
        environment.redis.hset(f"boss:conv:{environment.conversation(event)}", "token", "k-other")
        return await asyncio.wait_for(turn, 2)

    assert environment.run(scenario) is False
    assert environment.redis.hget(f"boss:conv:{environment.conversation(event)}", "token") == b"k-other"
    assert not environment.ledger("reply_stored")
    assert not environment.ledger("backoff")


def test_a_turn_cancelled_while_thinking_is_due_at_once_and_counts_nothing(environment: TurnEnvironment) -> None:
    """Warm shutdown: released within a second, and the next worker answers it."""
    environment.sandbox.faults(anthropic={"latency_seconds": 1.2})
    event = environment.text()

    async def scenario(context: TurnContext) -> float:
        turn = asyncio.create_task(run_turn(environment.conversation(event), token(), context))
        await until(lambda: environment.sandbox.count("anthropic.messages", accepted=None) == 1)
        context.stopping.set()
        began = time.monotonic()
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn
        assert await run_turn(environment.conversation(event), token(), context) is False
        return time.monotonic() - began

    assert environment.run(scenario) < 0.5
    (line,) = environment.ledger("backoff")
    assert (line.fields["reason"], line.fields["delay"], line.fields["counted"]) == ("shutdown", "0", "0")
    environment.sandbox.faults(anthropic={"latency_seconds": 0})
    environment.drive(lambda: environment.state(event) == "answered")
    assert (environment.message(event).errors, environment.message(event).lost) == (0, 0)


def test_a_turn_cancelled_with_a_request_in_flight_records_its_outcome(environment: TurnEnvironment) -> None:
    """The request gets its grace; the reply is sent, recorded and finished, once."""
    environment.sandbox.faults(twilio={"latency_seconds": 0.5})
    event = environment.text()

    async def scenario(context: TurnContext) -> None:
        turn = asyncio.create_task(run_turn(environment.conversation(event), token(), context))
        await until(lambda: environment.sandbox.count("twilio.create") == 1)
        context.stopping.set()
        assert len(context.in_flight) == 1
        turn.cancel()
        assert await turn is False
        assert not context.in_flight

    environment.run(scenario)
    assert (environment.state(event), environment.reply(event).state) == ("answered", "sent")


def test_a_request_that_outlasts_the_grace_stays_sending_for_the_next_holder(environment: TurnEnvironment) -> None:
    """No second copy: the next holder looks it up."""
    environment.environment = {"SHUTDOWN_GRACE_SECONDS": 0.1}
    environment.sandbox.faults(twilio={"fail": [{"fault": "hang", "accept": True}]})
    event = environment.text()

    async def scenario(context: TurnContext) -> None:
        turn = asyncio.create_task(run_turn(environment.conversation(event), token(), context))
        await until(lambda: environment.sandbox.count("twilio.create") == 1)
        context.stopping.set()
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn

    environment.run(scenario)
    assert environment.reply(event).state == "sending"
    environment.drive(lambda: environment.state(event) == "answered")
    assert environment.sandbox.count("twilio.create", accepted=None) == 1


def test_a_hundred_turns_wait_together(environment: TurnEnvironment) -> None:
    """One process, one loop: a hundred answers of 0.5 s do not take 50 s."""
    environment.environment = {"CLAUDE_TIMEOUT_SECONDS": 20}
    environment.sandbox.faults(anthropic={"latency_seconds": 0.5})
    events = [environment.text("Hi", f"+1555200{number:04}") for number in range(100)]
    began = time.monotonic()
    environment.drive(lambda: environment.sandbox.count("twilio.create") == len(events), 20)
    assert time.monotonic() - began < 10
    assert {environment.state(event) for event in events} == {"answered"}


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    """Wait on the loop for a condition."""
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - what is waited for is in another process
            await asyncio.sleep(0.01)


def test_a_question_says_when_its_message_was_received_and_what_time_it_is_by_the_servers_clock(environment: TurnEnvironment) -> None:
    """A message that a spool held for two hours; the history says when the first was, and not its notes of then."""
    seconds, _ = environment.redis.time()
    environment.once(environment.text("First", received_at=seconds - 7200.0))
    environment.once(environment.text("Second", received_at=float(seconds)))
    first, second = (asked["request"]["messages"] for asked in environment.sandbox.journal("anthropic.messages", accepted=True))
    received = time_notes.moment((seconds - 7200) * 1000, UTC)
    before, words = first[-1]["content"].split("\n\n")
    assert (before.partition(" (UTC). It is now ")[0], words) == (f"\u27e6Received on {received}", "First")
    assert str(text_of(second[0]["content"])).startswith(f"\u27e6{received}\u27e7\n\nFirst")
    assert second[-1]["content"].split("\n\n")[-2:] == [f"\u27e6Received on {time_notes.moment(seconds * 1000, UTC)} (UTC)\u27e7", "Second"]
