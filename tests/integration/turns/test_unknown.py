"""Replies of which nobody knows whether they were taken, retries within their budget, and answers that come too late."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from redis import Redis

from shared.mailbox import calls
from shared.model.events import Received
from shared.model.words import said
from supervisor_worker.assistant.claude.client import ModelAnswer
from supervisor_worker.assistant.prompt import Prompt
from supervisor_worker.providers import retry_budget
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment

UNSEEN: dict[str, Any] = {"list_lag_seconds": 3600, "status_callbacks": False}
"""Twilio's list shows nothing, and nothing is reported."""
DAY_MS = 86_400_000


@pytest.fixture
def environment(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[TurnEnvironment]:
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    found = TurnEnvironment(redis, redis_url, sandbox)
    yield found
    found.close()


class Parrot:
    """Says what it is told to say, at once."""

    def __init__(self, text: str = "Ok.") -> None:
        self.text = text

    async def think(self, prompt: Prompt) -> ModelAnswer:
        """The text."""
        del prompt
        return ModelAnswer(self.text)

    async def aclose(self) -> None:
        """Nothing is open."""


def looked_once(environment: TurnEnvironment, event: Received, then: Callable[[], object]) -> Callable[[], bool]:
    """Wait until the list was asked once in vain, and then do something, before it is asked again."""
    done: list[object] = []

    def condition() -> bool:
        reply = environment.mailbox.reply_of(environment.message(event))
        if not done and reply and reply.attempts and reply.attempts[0].looked:
            assert not reply.attempts[0].outcome
            done.append(then())
        return bool(done)

    return condition


def report(environment: TurnEnvironment, event: Received, number: int, state: Any = "delivered") -> None:
    """The provider's report on an attempt."""
    reply = environment.reply(event)
    call = calls.status(f"SM-{number}", state, retention_ms=60_000, reply=reply.id, attempt=reply.attempts[number].id)
    environment.mailbox.run(call)


def test_a_list_that_shows_the_text_at_the_second_look_is_in_time(environment: TurnEnvironment) -> None:
    """It is late by more than a request takes: one copy."""
    environment.sandbox.faults(twilio={**UNSEEN, "fail": ["reset_after_accept"]})
    event = environment.text()
    environment.drive(looked_once(environment, event, lambda: environment.sandbox.faults(twilio={"list_lag_seconds": 0})))
    environment.drive(lambda: environment.state(event) == "answered")
    assert environment.sandbox.count("twilio.create", accepted=None) == 1
    assert environment.sandbox.count("twilio.list", accepted=None) == 2
    assert not environment.reply(event).maybe_duplicate
    assert {line.fields["reason"] for line in environment.ledger("backoff")} == {"outcome_unknown", "looked_once"}
    assert {line.fields["counted"] for line in environment.ledger("backoff")} == {"0"}


def test_a_callback_between_two_looks_settles_it(environment: TurnEnvironment) -> None:
    """Nothing is asked again, nothing is sent again."""
    environment.sandbox.faults(twilio={**UNSEEN, "fail": ["reset_after_accept"]})
    event = environment.text()
    environment.drive(looked_once(environment, event, lambda: report(environment, event, 0)))
    environment.drive(lambda: environment.state(event) == "answered")
    assert environment.sandbox.count("twilio.create", accepted=None) == 1
    assert environment.sandbox.count("twilio.list", accepted=None) == 1
    assert environment.reply(event).state == "delivered"


def test_a_late_copy_of_an_equal_reply_is_not_taken_for_the_next_one(environment: TurnEnvironment) -> None:
    """The first was sent twice, and its first copy turns up when the second reply, which was not taken, is looked for."""
    environment.model = Parrot("Ok.")
    environment.sandbox.faults(twilio={**UNSEEN, "fail": ["reset_after_accept"]})
    first = environment.text("One")
    environment.drive(lambda: environment.state(first) == "answered")
    environment.sandbox.faults(twilio={"list_lag_seconds": 0, "fail": ["reset_before"]})
    second = environment.text("Two")
    environment.drive(lambda: environment.state(second) == "answered")
    copies = Counter(
        entry["request"]["params"]["StatusCallback"].partition("reply=")[2][:34]
        for entry in environment.sandbox.journal("twilio.create", accepted=True)
    )
    assert copies == {environment.reply(first).id: 2, environment.reply(second).id: 1}
    assert all(environment.reply(event).maybe_duplicate for event in (first, second))


@pytest.mark.parametrize("words", ["Ok.", "Yes."])
def test_an_attempt_in_vain_before_it_makes_no_reply_s_own_text_doubtful(environment: TurnEnvironment, words: str) -> None:
    """What was sent after it, or says something else, stands between: one copy each."""
    environment.model = parrot = Parrot("Ok.")
    environment.sandbox.faults(twilio={"fail": ["500"]})
    first = environment.text("One")
    environment.drive(lambda: environment.state(first) == "answered")
    parrot.text = words
    environment.sandbox.faults(twilio={"fail": ["reset_after_accept"]})
    second = environment.text("Two")
    environment.drive(lambda: environment.state(second) == "answered")
    assert environment.sandbox.count("twilio.create") == 2
    assert not environment.reply(second).maybe_duplicate


@pytest.mark.parametrize("channel", ["sms", "email"])
def test_where_nothing_may_come_twice_it_is_parked_and_the_user_hears_nothing(environment: TurnEnvironment, channel: str) -> None:
    """UNKNOWN_OUTCOME=park: told to the operator, marked, and answered after all when the report comes."""
    environment.environment = {"UNKNOWN_OUTCOME": "park", "EMAIL_EVENT_WAIT_SECONDS": 0.2}
    environment.sandbox.faults(
        twilio={**UNSEEN, "fail": ["reset_after_accept"]}, sendgrid={"fail": ["reset_after_accept"], "events": False}
    )
    event: Received = environment.text() if channel == "sms" else environment.mail()
    environment.drive(lambda: environment.state(event) == "parked:outcome_unknown")
    reply = environment.reply(event)
    assert (reply.maybe_sent, reply.maybe_duplicate, [attempt.outcome for attempt in reply.attempts]) == (True, False, ["absent"])
    assert [line.fields["reply"] for line in environment.ledger("maybe_sent")] == [reply.id]
    assert not environment.ledger("notice")
    assert environment.sandbox.count("twilio.create" if channel == "sms" else "sendgrid.send", accepted=None) == 1
    report(environment, event, 0)
    assert (environment.state(event), environment.reply(event).maybe_sent) == ("answered", False)


def test_where_nothing_may_come_twice_an_outage_that_lasts_tells_the_user_nothing_either(environment: TurnEnvironment) -> None:
    """The reply may have arrived: the sentence would say otherwise."""
    environment.environment = {"UNKNOWN_OUTCOME": "park", "ANSWER_WITHIN_MINUTES": 0.001}
    environment.sandbox.faults(twilio={**UNSEEN, "fail": ["reset_after_accept"]})
    event = environment.text()
    environment.drive(lambda: environment.state(event) == "parked:outage")
    assert environment.reply(event).maybe_sent
    assert not environment.ledger("notice")


@pytest.mark.parametrize("fault", ["reset_after_accept", "503", "502"])
def test_of_a_mail_that_nobody_answers_for_at_most_one_repeat_goes_out(environment: TurnEnvironment, fault: str) -> None:
    """All events are lost: a second copy under the same Message-ID, marked, and then it waits for the operator."""
    environment.environment = {"EMAIL_EVENT_WAIT_SECONDS": 0.2}
    environment.sandbox.faults(sendgrid={"fail": [{"fault": fault, "accept": True, "times": None, "match": "Hello"}], "events": False})
    event = environment.mail()
    environment.drive(lambda: environment.state(event) == "parked:outcome_unknown")
    copies = environment.sandbox.journal("sendgrid.send", accepted=True)
    reply = environment.reply(event)
    assert {entry["request"]["headers"]["Message-ID"] for entry in copies} == {f"<{reply.id}@example.com>"}
    assert (len(copies), reply.maybe_duplicate, reply.maybe_sent) == (2, True, True)
    assert not environment.ledger("notice")
    report(environment, event, 0, "sent")
    assert (environment.state(event), environment.reply(event).maybe_duplicate) == ("answered", True)
    report(environment, event, 1)
    assert [attempt.outcome for attempt in environment.reply(event).attempts] == ["accepted", "accepted"]
    assert environment.reply(event).maybe_duplicate


def test_an_event_that_comes_after_the_repeat_says_that_there_are_two(environment: TurnEnvironment) -> None:
    """The first was taken after all: marked, and nothing is sent a third time."""
    environment.environment = {"EMAIL_EVENT_WAIT_SECONDS": 0.2}
    environment.sandbox.faults(sendgrid={"fail": ["reset_after_accept"], "events": False})
    event = environment.mail()
    environment.drive(lambda: environment.state(event) == "answered")
    report(environment, event, 0)
    reply = environment.reply(event)
    assert [attempt.outcome for attempt in reply.attempts] == ["accepted", "accepted"]
    assert (reply.maybe_duplicate, environment.sandbox.count("sendgrid.send")) == (True, 2)
    assert len(environment.ledger("maybe_duplicate")) == 1


KINDS = ("reset_after_accept", "503", "hang", "broken_json")
"""Silence, a gateway's answer and an answer that cannot be read: in each case the provider took it."""


def test_a_text_s_second_copy_is_the_last_whatever_hides_what_became_of_them(
    environment: TurnEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twilio's list shows nothing and nothing newer: two copies, marked, and then the operator's word."""
    monkeypatch.setattr(retry_budget, "RETRIES_PER_MINUTE", 100.0)  # for all at once
    told = {f"<{first} {second}>": (first, second, "503") for first in KINDS for second in KINDS}
    faults = [
        {"fault": fault, "accept": True, "match": words, "times": times}
        for words, kinds in told.items()
        for fault, times in zip(kinds, (1, 1, None), strict=True)
    ]
    environment.sandbox.faults(twilio={**UNSEEN, "fail": faults})
    events = {words: environment.text(words, f"+1555404{number:04}") for number, words in enumerate(told)}
    environment.drive(lambda: all(environment.state(event) == "parked:outcome_unknown" for event in events.values()), 30)
    for words, event in events.items():
        reply, copies = environment.reply(event), environment.sandbox.journal("twilio.create", accepted=True, contains=words)
        assert (words, len(copies), reply.maybe_duplicate, reply.maybe_sent) == (words, 2, True, True)
        assert [entry["fault"] for entry in copies] == [kind.partition(" ")[0] for kind in told[words][:2]]


@pytest.mark.parametrize("channel", ["sms", "email"])
@pytest.mark.parametrize("fault", ["503", "reset_before", "hang"])
def test_an_outage_in_which_nothing_is_taken_is_waited_out_without_spending_the_second_copy(
    environment: TurnEnvironment, channel: str, fault: str
) -> None:
    """However long: the provider is asked by what can send nothing, and the reply goes out when that is answered."""
    environment.environment = {"EMAIL_EVENT_WAIT_SECONDS": 0.2}
    outage = {"fail": [{"fault": fault, "times": None}]}
    environment.sandbox.faults(twilio={"status_callbacks": False, **outage}, sendgrid={"events": False, **outage})
    event: Received = environment.text() if channel == "sms" else environment.mail()
    kind = "twilio.create" if channel == "sms" else "sendgrid.send"
    environment.drive(lambda: environment.sandbox.count(kind, accepted=None) >= 4, 20)
    assert [attempt.outcome for attempt in environment.reply(event).attempts] == ["absent"]
    assert environment.message(event).errors == 0
    environment.sandbox.faults(twilio={"fail": []}, sendgrid={"fail": []})
    environment.drive(lambda: environment.state(event) == "answered", 20)
    assert environment.sandbox.count(kind, accepted=True) == 1


def test_an_outage_that_lasts_too_long_ends_as_ever(environment: TurnEnvironment) -> None:
    """Parked after ANSWER_WITHIN_MINUTES, and the one attempt is on record."""
    environment.environment = {"ANSWER_WITHIN_MINUTES": 0.03}
    environment.sandbox.faults(twilio={"status_callbacks": False, "fail": [{"fault": "503", "times": None}]})
    event = environment.text()
    environment.drive(lambda: environment.state(event) == "parked:outage", 20)
    assert (len(environment.reply(event).attempts), environment.reply(event).maybe_sent) == (1, True)


def test_a_text_that_newer_ones_show_not_to_have_been_taken_is_sent_a_third_time(environment: TurnEnvironment) -> None:
    """The list shows what was made after it, and not it: that is a proof, and no copy."""
    environment.sandbox.faults(twilio={"status_callbacks": False, "fail": [{"fault": "503", "times": 3, "match": "Hello"}]})
    event = environment.text("Hello")
    others: list[Received] = []

    def answered() -> bool:
        """Somebody else is answered now and then."""
        if all(environment.state(each) == "answered" for each in others):
            others.append(environment.text("Hi", f"+1555403{len(others):04}"))
            environment.due_now()
        return environment.state(event) == "answered"

    environment.drive(answered, 30)
    codes = [(attempt.outcome, attempt.code) for attempt in environment.reply(event).attempts]
    assert codes[-1][0] == "accepted"
    assert ("refused", "not_taken") in codes
    assert environment.sandbox.count("twilio.create", accepted=True, contains="Hello") == 1


def age(environment: TurnEnvironment, event: Received) -> None:
    """Make a message a day and a second older."""
    environment.redis.hincrby(f"boss:msg:{event.id}", "active_at", -DAY_MS - 1000)


def test_a_message_of_yesterday_is_not_thought_about(environment: TurnEnvironment) -> None:
    """Parked, visibly; the user is told once; and what is new is answered."""
    old = environment.text("Old")
    age(environment, old)
    new = environment.text("New")
    environment.drive(
        lambda: environment.state(new) == "answered" and bool(environment.sandbox.count("twilio.create", contains=said("outage")))
    )
    assert environment.state(old) == "parked:too_old"
    assert "Old" not in str(environment.sandbox.journal("anthropic.messages"))
    assert environment.sandbox.count("twilio.create") == 2
    assert environment.sandbox.count("anthropic.messages", accepted=None) == 1


@pytest.mark.parametrize(
    ("fault", "state"), [("429", "parked:too_old"), ("reset_before", "parked:too_old"), ("reset_after_accept", "answered")]
)
def test_a_reply_of_yesterday_is_not_sent_but_looked_up(environment: TurnEnvironment, fault: str, state: str) -> None:
    """What was taken in time is answered, and the user is not told otherwise."""
    environment.sandbox.faults(twilio={"fail": [fault], "status_callbacks": False})
    event = environment.text("Old")
    environment.once(event)
    age(environment, event)
    environment.drive(lambda: environment.state(event) == state and not environment.redis.exists("boss:due"))
    sent = [entry["request"]["body"] for entry in environment.sandbox.journal("twilio.create", accepted=True)]
    assert [body == said("outage") for body in sent] == [state != "answered"]
    assert environment.sandbox.count("anthropic.messages", accepted=None) == 1


def test_a_notice_of_yesterday_is_not_sent_either(environment: TurnEnvironment) -> None:
    """And causes no other."""
    old = environment.text("Old")
    age(environment, old)
    environment.once(old)
    (notice,) = environment.ledger("notice")
    environment.redis.hincrby(f"boss:msg:{notice.fields['msg']}", "active_at", -DAY_MS - 1000)
    environment.drive(lambda: not environment.redis.exists("boss:due"))
    assert environment.sandbox.count("twilio.create", accepted=None) == 0
    assert len(environment.ledger("notice")) == 1


MESSAGES = 100


def test_while_half_of_the_requests_fail_there_are_at_most_1_2_for_each_message_and_all_are_answered_afterwards(
    environment: TurnEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The retry budget: what waits for it asks nobody, counts nothing, and goes out when the provider is well again."""
    monkeypatch.setattr(
        retry_budget, "RETRIES_PER_MINUTE", 2.0
    )  # what a small installation has for nothing is little beside so many messages
    environment.environment = {"LEASE_SECONDS": 12, "SEND_TIMEOUT_SECONDS": 4, "WORKER_CONCURRENCY": 40}
    environment.model = Parrot()
    environment.sandbox.faults(twilio={"fail": [{"fault": "429", "times": None, "match": "+15554001"}], "status_callbacks": False})
    events = [environment.text("Hi", f"+1555400{number % 2}{number:03}") for number in range(MESSAGES)]
    requests = partial(environment.sandbox.count, "twilio.create", accepted=None)
    environment.drive(lambda: environment.redis.xlen("boss:ledger") > 10 * MESSAGES and requests() > MESSAGES, 40)
    assert environment.ledger("backoff", reason="retry_budget")
    assert MESSAGES < requests() <= 1.2 * MESSAGES

    environment.sandbox.faults(twilio={"fail": []})
    fresh: list[Received] = []

    def answered() -> bool:
        """New messages keep coming, one after the other, and show that the provider is well again."""
        if all(environment.state(event) == "answered" for event in fresh):
            fresh.append(environment.text("Hi", f"+1555402{len(fresh):04}"))
            environment.due_now()
        return all(environment.state(event) == "answered" for event in events)

    environment.drive(answered, 40)
    environment.drive(lambda: all(environment.state(event) == "answered" for event in fresh))
    assert environment.sandbox.count("twilio.create") == len(events) + len(fresh)
    assert not any(environment.message(event).errors for event in events)


def test_claude_is_asked_again_within_its_budget(environment: TurnEnvironment) -> None:
    """Sixteen questions fail for good: each is asked once, ten and a few of them once more in the first moments."""
    environment.sandbox.faults(anthropic={"fail": [{"fault": "529", "times": None}]})
    events = [environment.text("Hi", f"+1555401{number:04}") for number in range(16)]
    environment.drive(lambda: len(environment.ledger("backoff", reason="retry_budget")) >= 16, 20)
    assert 16 < environment.sandbox.count("anthropic.messages", accepted=None) <= 16 + 10 + 16 * 0.1 + 3
    environment.sandbox.faults(anthropic={"fail": []})
    for event in events:
        assert environment.message(event).errors == 0
