"""The providers at their worst: whatever becomes of a request, the user gets one copy; an outage ends in one plain sentence."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

import pytest

from supervisor_worker.assistant.notices import NOTICES
from tests.chaos.table import FULL, Table
from tests.support.lateness import Lateness
from tests.support.verdict import Said, judge
from tests.support.wait import wait_for
from tests.support.whole import Person, Whole, in_threads, reply_id

pytestmark = pytest.mark.timeout(120)  # two cores may be shared with much else
RETRY_AFTER: Final = 2


ROUNDS: Final = 10 if FULL else 1
"""With a worker of its own each: a process that meets nothing but troubles soon has no retry left in its budget."""
TIMES: Final[dict[str, Any]] = {"CLAUDE_TIMEOUT_SECONDS": "2"}
JOB_SECONDS: Final = 2 + 1 + 1 + 0.25
"""No job lasts longer: Claude's time, one request, one look, and the margin between them."""
HUNG: Final = {"fault": "hang", "accept": True}
TOO_MANY: Final = {"fault": "429", "retry_after": 1}


@dataclass(frozen=True, eq=False)
class Trouble:
    """What hits the requests with somebody's words, at Twilio, SendGrid or Claude; how many sending requests that makes of one."""

    name: str
    provider: str
    faults: tuple[dict[str, Any], ...]
    channel: str = "sms"
    requests: int = 1


TROUBLES: Final = (
    Trouble("429, Retry-After", "twilio", (TOO_MANY,), requests=2),
    Trouble("500 after accept", "twilio", ({"fault": "500", "accept": True},)),
    Trouble("500, nothing taken", "twilio", ({"fault": "500"},), requests=2),
    Trouble("reset after accept", "twilio", ({"fault": "reset_after_accept"},)),
    Trouble("reset before", "twilio", ({"fault": "reset_before"},), requests=2),
    Trouble("hang after accept", "twilio", (HUNG,)),
    Trouble("hang, nothing taken", "twilio", ({"fault": "hang"},), requests=2),
    Trouble("one byte a second", "twilio", ({"fault": "trickle"},)),
    Trouble("half an answer", "twilio", ({"fault": "reset_midway"},)),
    Trouble("201 with broken JSON", "twilio", ({"fault": "broken_json"},)),
    Trouble("429, Retry-After", "sendgrid", (TOO_MANY,), "email", requests=2),
    Trouble("500 after accept", "sendgrid", ({"fault": "500", "accept": True},), "email"),
    Trouble("503, nothing taken", "sendgrid", ({"fault": "503"},), "email", requests=2),
    Trouble("reset after accept", "sendgrid", ({"fault": "reset_after_accept"},), "email"),
    Trouble("hang after accept", "sendgrid", (HUNG,), "email"),
    Trouble("one byte a second", "sendgrid", ({"fault": "trickle"},), "email"),
    Trouble("202 with broken JSON", "sendgrid", ({"fault": "broken_json"},), "email"),
    Trouble("429, Retry-After", "anthropic", (TOO_MANY,)),
    Trouble("500", "anthropic", ({"fault": "500"},)),
    Trouble("529 twice, then reset", "anthropic", ({"fault": "529", "times": 2}, {"fault": "reset_before"})),
    Trouble("reset after accept", "anthropic", ({"fault": "reset_after_accept"},)),
    Trouble("hang after accept", "anthropic", (HUNG,)),
    Trouble("one byte a second", "anthropic", ({"fault": "trickle"},)),
    Trouble("half an answer", "anthropic", ({"fault": "reset_midway"},)),
    Trouble("200 with broken JSON", "anthropic", ({"fault": "broken_json"},)),
)
NAMES: Final = {"twilio": "Twilio", "sendgrid": "SendGrid", "anthropic": "Claude"}
KINDS: Final = {"twilio": "twilio.create", "sendgrid": "sendgrid.send", "anthropic": "anthropic.messages"}
SEND: Final = {"sms": "twilio.create", "email": "sendgrid.send"}


def test_one_copy_whatever_becomes_of_a_request(whole: Whole, table: Table) -> None:
    """All troubles at once, somebody else for each; no status callback, and Twilio's list a second late: only the look-up can tell."""
    people: dict[Trouble, list[Person]] = {trouble: [] for trouble in TROUBLES}
    lateness = Lateness()
    with lateness.watched():
        for _ in range(ROUNDS):
            _one_round(whole, people)
    with table.all_rows():
        for trouble, theirs in people.items():
            _enter(whole, table, trouble, theirs)
    seen = {
        (trouble.provider, trouble.name): {_requests(whole, trouble, person) for person in theirs} for trouble, theirs in people.items()
    }
    assert seen == {(trouble.provider, trouble.name): {trouble.requests} for trouble in TROUBLES}
    assert [job for job in _jobs(whole) if job[1] - job[0] > JOB_SECONDS + lateness.between(*job)] == []


def _one_round(whole: Whole, people: dict[Trouble, list[Person]]) -> None:
    """Somebody new for each trouble, and all of them write at the same time."""
    faults: dict[str, list[dict[str, Any]]] = {"twilio": [], "sendgrid": [], "anthropic": []}
    for trouble, theirs in people.items():
        theirs.append(person := whole.person())
        faults[trouble.provider] += [{**fault, "match": person.tag} for fault in trouble.faults]
    whole.sandbox.faults(
        twilio={"fail": faults["twilio"], "list_lag_seconds": 1, "status_callbacks": False},
        sendgrid={"fail": faults["sendgrid"]},
        anthropic={"fail": faults["anthropic"]},
    )
    (worker,) = whole.fork(1, **TIMES)
    in_threads(lambda item: (whole.text if item[0].channel == "sms" else whole.mail)(item[1][-1], "word"), people.items())
    whole.quiet(60)
    worker.kill9()


@pytest.mark.parametrize("provider", NAMES)
def test_a_provider_that_never_ends_the_handshake_delays_and_drops_nothing(whole: Whole, table: Table, provider: str) -> None:
    """TLS that nobody answers: nothing has left, so it is tried again without a look until there is somebody; no job waits long."""
    fault, person = f"{NAMES[provider]}: TLS stalls", whole.person()
    channel = "email" if provider == "sendgrid" else "sms"
    setting = {"twilio": "TWILIO_API_BASE_URL", "sendgrid": "SENDGRID_API_BASE_URL", "anthropic": "ANTHROPIC_BASE_URL"}[provider]
    with socket.create_server(("127.0.0.1", 0)) as silent, (lateness := Lateness()).watched():
        (stalled,) = whole.fork(1, **TIMES, **{setting: f"https://127.0.0.1:{silent.getsockname()[1]}"})
        (whole.mail if channel == "email" else whole.text)(person, "word")
        whole.wait_for_lines(whole.conversation(person, channel), "backoff", count=2)
        stalled.kill9()
        whole.fork(1, **TIMES)
        whole.quiet()
    seen = judge(whole, [Said(person, channel, "word", fault)])[fault]
    table.add(fault=fault, runs=1, lost=seen.lost, duplicates=seen.duplicates + seen.marked, details=seen.details)
    assert whole.sandbox.count("twilio.list", accepted=None) == 0
    assert [job for job in _jobs(whole) if job[1] - job[0] > JOB_SECONDS + lateness.between(*job)] == []


def test_429_with_retry_after_is_waited_out(whole: Whole) -> None:
    """Twilio says when to come again; nothing is asked of it before, and nothing is looked up, for nothing was taken."""
    whole.fork()
    person = whole.person()
    whole.sandbox.faults(twilio={"fail": [{"fault": "429", "retry_after": RETRY_AFTER}]})
    whole.text(person, "word")
    whole.wait_for_replies(person)
    whole.quiet()
    refused, taken = whole.sandbox.journal("twilio.create", to=person.phone)
    assert taken["at"] - refused["at"] >= RETRY_AFTER
    assert whole.assert_one_copy(person) == ["word"]
    assert whole.sandbox.count("twilio.list", accepted=None) == 0


def test_a_list_that_shows_too_late_may_double_and_marks_it(whole: Whole) -> None:
    """The provider took the first and neither its callback nor its list shows it: the one case of a second copy."""
    whole.sandbox.faults(twilio={"fail": ["reset_after_accept"], "list_lag_seconds": 60, "status_callbacks": False})
    whole.fork()
    person = whole.person()
    whole.text(person, "word")
    whole.wait_for_replies(person, 2)
    whole.quiet()
    copies = whole.replies(person)
    assert len(copies) == 2
    assert len({reply_id(copy) for copy in copies}) == 1
    assert whole.marked(reply_id(copies[0]))


def test_an_equal_reply_that_went_out_before_is_not_taken_for_this_one(whole: Whole) -> None:
    """Claude says the same twice; the second was not taken, and the look-up must not be content with the first."""
    whole.sandbox.faults(anthropic={"text": "Yes."}, twilio={"status_callbacks": False})
    whole.fork()
    person = whole.person()
    whole.text(person, 1)
    whole.wait_for_replies(person)
    whole.quiet()
    whole.sandbox.faults(twilio={"fail": ["500"]})
    whole.text(person, 2)
    whole.wait_for_replies(person, 2)
    whole.quiet()
    assert len({reply_id(reply) for reply in whole.replies(person)}) == 2
    assert len(whole.replies(person)) == 2


def test_a_list_that_does_not_answer_is_not_taken_for_not_found(whole: Whole) -> None:
    """The look-up is asked again until it is answered; until then nothing is repeated, and it counts nothing."""
    people = {fault: whole.person() for fault in ("503", "hang", "reset_before", "broken_json")}
    fails: list[dict[str, Any]] = [{"fault": "reset_after_accept", "match": person.tag} for person in people.values()]
    fails += [{"fault": fault, "on": "list", "times": 2, "match": person.phone} for fault, person in people.items()]
    whole.sandbox.faults(twilio={"fail": fails, "status_callbacks": False})
    whole.fork()
    whole.texts(people.values(), "word")
    for person in people.values():
        whole.wait_for_lines(whole.conversation(person), "answered")
    whole.quiet()
    for person in people.values():
        assert whole.assert_one_copy(person) == ["word"]
        assert len(whole.sandbox.journal("twilio.create", to=person.phone)) == 1
        assert {line.fields["counted"] for line in whole.lines(whole.conversation(person), "backoff")} == {"0"}
    assert whole.sandbox.count("twilio.list", accepted=None) >= 3 * len(people)


def test_an_outage_of_claude_parks_the_text_tells_the_user_once_and_retry_answers_it(whole: Whole) -> None:
    """Older than ANSWER_WITHIN_MINUTES: parked, one sentence, visibly; `boss messages retry` has it answered after all."""
    whole.fork(2, ANSWER_WITHIN_MINUTES="0.03")
    person = whole.person()
    conversation = whole.conversation(person)
    whole.sandbox.faults(anthropic={"fail": [{"fault": "529", "times": None}]})
    whole.text(person, "word")
    (parked,) = whole.wait_for_lines(conversation, "parked")
    (told,) = whole.wait_for_replies(person)
    assert told["request"]["body"] == NOTICES["outage"]
    whole.quiet()
    assert len(whole.replies(person)) == 1
    assert len(whole.questions(person)) > 1
    whole.sandbox.faults(anthropic={"fail": []})
    assert parked.fields["msg"] in whole.boss("messages", "list", "--parked")
    whole.boss("messages", "retry", parked.fields["msg"])
    whole.wait_for_replies(person, 2)
    whole.quiet()
    assert len(whole.replies(person)) == 2
    assert whole.assert_one_copy(person) == ["word"]


def test_an_outage_of_twilio_delays_and_drops_nothing(whole: Whole) -> None:
    """Nothing reaches Twilio for a while: every text waits its turn, and all are answered in order when it is back."""
    whole.sandbox.faults(twilio={"fail": [{"fault": "reset_before", "times": None}]})
    whole.fork()
    person = whole.person()
    for number in range(3):
        whole.text(person, number)
        whole.sandbox.wait("twilio.create", number + 1)
    whole.sandbox.faults(twilio={"fail": []})
    whole.quiet()
    assert whole.assert_one_copy(person) == ["0", "1", "2"]


def test_a_refused_key_pauses_all_sending_until_resumed(whole: Whole) -> None:
    """401 is nobody's message's fault: one alarm, everything waits uncounted, and `boss resume` lets it go on."""
    whole.sandbox.faults(twilio={"fail": ["401"]})
    whole.fork()
    first, second = whole.person(), whole.person()
    whole.text(first, "word")
    wait_for(lambda: whole.redis.hget("boss:pause", "reason"), 10, "the pause")
    whole.text(second, "word")
    whole.boss("resume")
    for person in (first, second):
        whole.wait_for_replies(person)
    whole.quiet()
    assert whole.assert_one_copy(first) == ["word"]
    assert whole.assert_one_copy(second) == ["word"]


def _enter(whole: Whole, table: Table, trouble: Trouble, people: list[Person]) -> None:
    """One row; a request to Claude is counted for what it costs, one to the others for what the user may see of it."""
    fault = f"{NAMES[trouble.provider]}: {trouble.name}"
    seen = judge(whole, [Said(person, trouble.channel, "word", fault) for person in people])[fault]
    asked = sum(len(whole.sandbox.journal(KINDS[trouble.provider], contains=person.tag)) for person in people) / len(people)
    table.add(
        fault=fault, runs=len(people), lost=seen.lost, duplicates=seen.duplicates + seen.marked, details=seen.details,
        note=f"{asked:.1f} requests a message",
    )  # fmt: skip


def _requests(whole: Whole, trouble: Trouble, person: Person) -> int:
    """How many requests there were to send somebody's reply."""
    return len(whole.sandbox.journal(SEND[trouble.channel], to=person.phone if trouble.channel == "sms" else person.email))


def _jobs(whole: Whole) -> list[tuple[float, float]]:
    """When RQ's jobs began and ended, in seconds of the epoch."""
    found = []
    for key in whole.redis.scan_iter("rq:job:*"):
        began, ended = (bytes(time or b"").decode() for time in cast("Any", whole.redis.hmget(key, "started_at", "ended_at")))
        if began and ended:
            found.append((datetime.fromisoformat(began).timestamp(), datetime.fromisoformat(ended).timestamp()))
    assert found
    return found
