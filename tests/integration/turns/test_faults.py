"""Every row of the error tables, for each provider, counted at the sandbox's journal: what is taken once is sent once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, cast

import pytest
from redis import Redis

from shared.mailbox import calls
from shared.model.events import Received
from shared.model.words import said
from supervisor_worker.assistant import notices
from supervisor_worker.turns.context import TurnContext
from supervisor_worker.turns.turn import run_turn
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment, token


@pytest.fixture
def environment(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[TurnEnvironment]:
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    found = TurnEnvironment(redis, redis_url, sandbox)
    yield found
    found.close()


PASSING_TWILIO: dict[str, dict[str, Any]] = {
    "row-429": {"fault": "429", "retry_after": 0.1},
    "row-queue-full": {"fault": "400", "code": 21611},
    "row-500": {"fault": "500"},
    "row-503": {"fault": "503"},
    "row-reset-before": {"fault": "reset_before"},
    "row-reset-after": {"fault": "reset_after_accept"},
    "row-midway": {"fault": "reset_midway"},
    "row-broken": {"fault": "broken_json"},
    "row-hang": {"fault": "hang"},
    "row-hang-taken": {"fault": "hang", "accept": True},
}
TAKEN = ("reset-after", "midway", "broken", "hang-taken")


def test_what_twilio_fails_to_answer_is_looked_up_and_sent_exactly_once(environment: TurnEnvironment) -> None:
    """Outages, resets and silence, all rows at once: each text gets one message, nothing is counted, unknown is looked up."""
    faults = [{"match": f"{name}|", **fault} for name, fault in PASSING_TWILIO.items()]
    environment.sandbox.faults(twilio={"fail": faults, "status_callbacks": False})
    events = {name: environment.text(f"{name}|", f"+1555300{number:04}") for number, name in enumerate(PASSING_TWILIO)}
    environment.drive(lambda: all(environment.state(event) == "answered" for event in events.values()), 20)

    for name, event in events.items():
        attempts = environment.reply(event).attempts
        requests = environment.sandbox.journal("twilio.create", contains=f"{name}|")
        taken = [entry for entry in requests if entry["accepted"]]
        assert len(taken) == 1, f"{name}: {len(taken)} copies"
        assert attempts[-1].provider_id == taken[0]["sid"], name
        assert environment.message(event).errors == 0, name
        expected = 1 if name.endswith(TAKEN) else 2
        assert len(requests) == len(attempts) == expected, f"{name}: {attempts}"
    unknown = {"row-500", "row-503", "row-reset-before", "row-hang"}
    assert {name for name, event in events.items() if environment.reply(event).attempts[0].outcome == "absent"} == unknown
    assert {name for name, event in events.items() if environment.reply(event).maybe_duplicate} == unknown
    assert {event.from_.value for name, event in events.items() if name in unknown or name.endswith(TAKEN)} <= {
        str(entry["request"]["to"]) for entry in environment.sandbox.journal("twilio.list")
    }


FINAL_TWILIO = {"21211": False, "21614": False, "21408": False, "21606": False, "21602": True, "29999": True}


def test_what_twilio_refuses_for_good_is_parked_and_the_user_told_where_that_makes_sense(environment: TurnEnvironment) -> None:
    """No second try; no notice to a number that cannot be reached."""
    faults = [{"fault": "400", "code": int(code), "match": f"row-{code}|"} for code in FINAL_TWILIO]
    environment.sandbox.faults(twilio={"fail": faults, "status_callbacks": False})
    events = {code: environment.text(f"row-{code}|", f"+1555301{number:04}") for number, code in enumerate(FINAL_TWILIO)}
    told = sum(FINAL_TWILIO.values())
    environment.drive(
        lambda: (
            all(environment.state(event) == f"parked:twilio_{code}" for code, event in events.items())
            and environment.sandbox.count("twilio.create", contains=said(notices.GENERAL)) == told
        ),
        10,
    )
    for code, event in events.items():
        sent = environment.sandbox.journal("twilio.create", to=event.from_.value)
        assert [entry["request"]["body"] == said(notices.GENERAL) for entry in sent] == [False] + [True] * FINAL_TWILIO[code], code
        assert environment.reply(event).attempts[0].code == code
        assert environment.reply(event).state == "failed"


def test_an_opt_out_that_only_twilio_knew_is_learnt(environment: TurnEnvironment) -> None:
    """21610: the turn ends as ignored, and the next text is not even accepted into a turn."""
    environment.sandbox.faults(twilio={"fail": [{"fault": "400", "code": 21610}], "status_callbacks": False})
    event = environment.text()
    environment.drive(lambda: environment.state(event) == "ignored:opted_out")
    pair = environment.identities.pair(event.to, event.from_)
    assert environment.ledger("opted_out", pair=pair)
    assert environment.sandbox.count("twilio.create", accepted=None) == 1


@pytest.mark.parametrize(
    ("provider", "fault"),
    [
        ("twilio", {"fault": "401"}),
        ("sendgrid", {"fault": "401"}),
        ("anthropic", {"fault": "401"}),
        ("anthropic", {"fault": "402"}),
    ],
)
def test_a_refused_key_pauses_all_sending_once_and_loses_nothing(
    environment: TurnEnvironment, provider: str, fault: dict[str, Any]
) -> None:
    """After the operator resumed, the message is answered, once, and nothing was counted."""
    environment.sandbox.faults(**{provider: {"fail": [{**fault, "times": None}]}})
    event: Received = environment.mail() if provider == "sendgrid" else environment.text()
    assert environment.once(event) is False
    assert environment.mailbox.paused().startswith(provider if provider != "anthropic" else "claude")
    environment.due_now()
    assert environment.once(event) is False
    assert len(environment.ledger("paused")) == 1

    environment.sandbox.faults(**{provider: {"fail": []}})
    environment.mailbox.run(calls.resume())
    environment.due_now()
    assert environment.once(event) is False
    assert environment.state(event) == "answered"
    assert environment.message(event).errors == 0
    assert environment.sandbox.count("sendgrid.send" if provider == "sendgrid" else "twilio.create") == 1


def test_a_list_that_gives_no_answer_is_not_a_not_found(environment: TurnEnvironment) -> None:
    """While Twilio's list is down nothing is repeated and nothing is parked, however old; then the first copy is found."""
    environment.environment = {"ANSWER_WITHIN_MINUTES": 0.001}
    environment.sandbox.faults(
        twilio={"fail": [{"fault": "reset_after_accept"}, {"fault": "503", "on": "list", "times": 3}], "status_callbacks": False}
    )
    event = environment.text()
    environment.drive(lambda: environment.state(event) == "answered", 15)
    assert environment.sandbox.count("twilio.create", accepted=None) == 1
    assert environment.sandbox.count("twilio.list", accepted=None) == 4


def test_another_replys_message_is_never_taken_for_this_one(environment: TurnEnvironment) -> None:
    """Same numbers, same words, a minute apart: the look-up skips what is known to belong to the first reply."""
    environment.sandbox.faults(anthropic={"text": "Ok."})
    first = environment.text("One")
    environment.once(first)
    environment.sandbox.faults(twilio={"fail": [{"fault": "reset_before"}], "status_callbacks": False})
    second = environment.text("Two")
    environment.drive(lambda: environment.state(second) == "answered")
    assert environment.sandbox.count("twilio.create") == 2


PASSING_SENDGRID: dict[str, dict[str, Any]] = {
    "row-429": {"fault": "429", "retry_after": 0.1},
    "row-500": {"fault": "500"},
    "row-503": {"fault": "503"},
    "row-reset-before": {"fault": "reset_before"},
    "row-hang": {"fault": "hang"},
}


def test_what_sendgrid_fails_to_answer_is_sent_again_under_the_same_message_id(environment: TurnEnvironment) -> None:
    """Unknown outcomes wait for SendGrid's event; without one the repeat carries the same Message-ID, and is marked."""
    faults = [{"match": f"{name}|", **fault} for name, fault in PASSING_SENDGRID.items()]
    environment.sandbox.faults(sendgrid={"fail": faults, "events": False})
    events = {name: environment.mail(f"{name}|", f"u{number}@example.com") for number, name in enumerate(PASSING_SENDGRID)}
    environment.drive(lambda: all(environment.state(event) == "answered" for event in events.values()), 20)

    for name, event in events.items():
        requests = environment.sandbox.journal("sendgrid.send", contains=f"{name}|")
        reply = environment.reply(event)
        assert [bool(entry["accepted"]) for entry in requests] == [False, True], name
        assert {entry["request"]["headers"]["Message-ID"] for entry in requests} == {f"<{reply.id}@example.com>"}, name
        assert reply.maybe_duplicate is (name != "row-429"), name
        assert environment.message(event).errors == 0, name


def test_a_mail_that_sendgrid_took_without_answering_is_settled_by_its_event(environment: TurnEnvironment) -> None:
    """The event names reply and attempt: no second copy."""
    environment.sandbox.faults(
        sendgrid={"fail": [{"fault": "reset_after_accept"}, {"fault": "broken_json", "match": "never"}], "events": False}
    )
    event = environment.mail()

    def evented() -> bool:
        reply = environment.mailbox.reply_of(environment.message(event))
        if reply and reply.pending:
            call = calls.status("sg-1", "delivered", retention_ms=60_000, reply=reply.id, attempt=reply.pending[0].id)
            environment.mailbox.run(call)
        return environment.state(event) == "answered"

    environment.drive(evented)
    assert environment.sandbox.count("sendgrid.send", accepted=None) == 1
    assert environment.reply(event).state == "delivered"


def test_what_sendgrid_refuses_is_parked(environment: TurnEnvironment) -> None:
    """400, 413 and 415 are final."""
    faults = [{"fault": status, "match": f"row-{status}|"} for status in ("400", "413", "415")]
    environment.sandbox.faults(sendgrid={"fail": faults, "events": False})
    events = {status: environment.mail(f"row-{status}|", f"u{status}@example.com") for status in ("400", "413", "415")}
    environment.drive(lambda: environment.sandbox.count("sendgrid.send", contains=said(notices.GENERAL)) == len(events))
    assert {status: environment.state(event) for status, event in events.items()} == {
        status: f"parked:sendgrid_http_{status}" for status in events
    }


PASSING_CLAUDE: dict[str, dict[str, Any]] = {
    "row-429": {"fault": "429", "retry_after": 0.1},
    "row-408": {"fault": "408"},
    "row-500": {"fault": "500"},
    "row-503": {"fault": "503"},
    "row-504": {"fault": "504"},
    "row-529": {"fault": "529"},
    "row-reset-before": {"fault": "reset_before"},
    "row-reset-after": {"fault": "reset_after_accept"},
    "row-midway": {"fault": "reset_midway"},
    "row-hang": {"fault": "hang"},
}
COUNTED_CLAUDE: dict[str, dict[str, Any]] = {
    "row-404": {"fault": "404"},
    "row-409": {"fault": "409"},
    "row-broken": {"fault": "broken_json"},
}


def test_an_outage_of_claude_counts_nothing_and_an_error_of_the_message_counts(environment: TurnEnvironment) -> None:
    """Every row is answered in the end, with one text."""
    rows = PASSING_CLAUDE | COUNTED_CLAUDE
    environment.sandbox.faults(anthropic={"fail": [{"match": f"{name}|", **fault} for name, fault in rows.items()]})
    events = {name: environment.text(f"{name}|", f"+1555302{number:04}") for number, name in enumerate(rows)}
    environment.drive(lambda: all(environment.state(event) == "answered" for event in events.values()), 20)
    assert {name for name, event in events.items() if environment.message(event).errors} == set(COUNTED_CLAUDE)
    assert environment.sandbox.count("twilio.create") == len(rows)


def test_what_claude_refuses_for_good_is_parked_and_the_user_told(environment: TurnEnvironment) -> None:
    """400, 413 and 422 are final: one question each."""
    statuses = ("400", "413", "422")
    environment.sandbox.faults(anthropic={"fail": [{"fault": status, "times": None, "match": f"row-{status}|"} for status in statuses]})
    events = {status: environment.text(f"row-{status}|", f"+1555303{status.zfill(4)}") for status in statuses}
    environment.drive(lambda: environment.sandbox.count("twilio.create", contains=said(notices.GENERAL)) == len(statuses))
    assert all(environment.state(event).startswith("parked:claude_") for event in events.values())
    assert environment.sandbox.count("anthropic.messages", accepted=None) == len(statuses)


def test_a_budget_told_in_words_pauses_too(environment: TurnEnvironment) -> None:
    """An empty credit balance came as a 400 once."""
    body = {"type": "error", "error": {"type": "invalid_request_error", "message": "Your credit balance is too low to access the API."}}
    environment.sandbox.faults(anthropic={"fail": [{"fault": "400", "body": body}]})
    environment.once(environment.text())
    assert environment.mailbox.paused() == "claude_invalid_request_error"


def test_a_provider_that_nobody_reaches_is_known_to_have_taken_nothing(environment: TurnEnvironment) -> None:
    """Connection refused: recorded as refused, no look-up, no mark of a duplicate."""
    environment.environment = {"TWILIO_API_BASE_URL": "http://127.0.0.1:9", "SENDGRID_API_BASE_URL": "http://127.0.0.1:9"}
    text, mail = environment.text(), environment.mail()
    for event in (text, mail):
        assert environment.once(event) is False
        (attempt,) = environment.reply(event).attempts
        assert (attempt.outcome, attempt.code) == ("refused", "not_reached")
    environment.environment = {}
    environment.drive(lambda: environment.state(text) == environment.state(mail) == "answered")
    assert environment.sandbox.count("twilio.list", accepted=None) == 0
    assert not any(environment.reply(event).maybe_duplicate for event in (text, mail))


def test_a_mail_whose_turn_gave_up_never_leaves_late(environment: TurnEnvironment) -> None:
    """A request that would begin after the hard timeout is cancelled before."""
    event = environment.mail()

    async def scenario(context: TurnContext) -> None:
        http = cast("Any", context.channels["email"])._http
        original = http.exchange

        async def slow(*args: Any, **kwargs: Any) -> Any:
            await asyncio.sleep(1.2)
            return await original(*args, **kwargs)

        http.exchange = slow
        await run_turn(environment.conversation(event), token(), context)
        await asyncio.sleep(0.8)

    environment.run(scenario)
    assert environment.sandbox.count("sendgrid.send", accepted=None) == 0
    assert environment.reply(event).pending
