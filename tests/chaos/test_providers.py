"""The providers at their worst: whatever becomes of a request, the user gets one copy; an outage ends in one plain sentence."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

import pytest

from shared.model.words import said
from tests.chaos.table import FULL, Table
from tests.support.installation import Installation, Person, in_threads, reply_id
from tests.support.outcome_check import Said, judge
from tests.support.scheduler_lag import SchedulerLag
from tests.support.wait import wait_for

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


def test_one_copy_whatever_becomes_of_a_request(installation: Installation, table: Table) -> None:
    """All troubles at once, somebody else for each; no status callback, and Twilio's list a second late: only the look-up can tell."""
    people: dict[Trouble, list[Person]] = {trouble: [] for trouble in TROUBLES}
    scheduler_lag = SchedulerLag()
    with scheduler_lag.watched():
        for _ in range(ROUNDS):
            _one_round(installation, people)
    with table.all_rows():
        for trouble, theirs in people.items():
            _enter(installation, table, trouble, theirs)
    seen = {
        (trouble.provider, trouble.name): {_requests(installation, trouble, person) for person in theirs}
        for trouble, theirs in people.items()
    }
    assert seen == {(trouble.provider, trouble.name): {trouble.requests} for trouble in TROUBLES}
    assert [job for job in _jobs(installation) if job[1] - job[0] > JOB_SECONDS + scheduler_lag.between(*job)] == []


def _one_round(installation: Installation, people: dict[Trouble, list[Person]]) -> None:
    """Somebody new for each trouble, and all of them write at the same time."""
    faults: dict[str, list[dict[str, Any]]] = {"twilio": [], "sendgrid": [], "anthropic": []}
    for trouble, theirs in people.items():
        theirs.append(person := installation.person())
        faults[trouble.provider] += [{**fault, "match": person.tag} for fault in trouble.faults]
    installation.sandbox.faults(
        twilio={"fail": faults["twilio"], "list_lag_seconds": 1, "status_callbacks": False},
        sendgrid={"fail": faults["sendgrid"]},
        anthropic={"fail": faults["anthropic"]},
    )
    (worker,) = installation.fork(1, **TIMES)
    in_threads(lambda item: (installation.text if item[0].channel == "sms" else installation.mail)(item[1][-1], "word"), people.items())
    installation.quiet(60)
    worker.kill9()


@pytest.mark.parametrize("provider", NAMES)
def test_a_provider_that_never_ends_the_handshake_delays_and_drops_nothing(installation: Installation, table: Table, provider: str) -> None:
    """TLS that nobody answers: nothing has left, so it is tried again without a look until there is somebody; no job waits long."""
    fault, person = f"{NAMES[provider]}: TLS stalls", installation.person()
    channel = "email" if provider == "sendgrid" else "sms"
    setting = {"twilio": "TWILIO_API_BASE_URL", "sendgrid": "SENDGRID_API_BASE_URL", "anthropic": "ANTHROPIC_BASE_URL"}[provider]
    with socket.create_server(("127.0.0.1", 0)) as silent, (scheduler_lag := SchedulerLag()).watched():
        (stalled,) = installation.fork(1, **TIMES, **{setting: f"https://127.0.0.1:{silent.getsockname()[1]}"})
        (installation.mail if channel == "email" else installation.text)(person, "word")
        installation.wait_for_lines(installation.conversation(person, channel), "backoff", count=2)
        stalled.kill9()
        installation.fork(1, **TIMES)
        installation.quiet()
    seen = judge(installation, [Said(person, channel, "word", fault)])[fault]
    table.add(fault=fault, runs=1, lost=seen.lost, duplicates=seen.duplicates + seen.marked, details=seen.details)
    assert installation.sandbox.count("twilio.list", accepted=None) == 0
    assert [job for job in _jobs(installation) if job[1] - job[0] > JOB_SECONDS + scheduler_lag.between(*job)] == []


def test_429_with_retry_after_is_waited_out(installation: Installation) -> None:
    """Twilio says when to come again; nothing is asked of it before, and nothing is looked up, for nothing was taken."""
    installation.fork()
    person = installation.person()
    installation.sandbox.faults(twilio={"fail": [{"fault": "429", "retry_after": RETRY_AFTER}]})
    installation.text(person, "word")
    installation.wait_for_replies(person)
    installation.quiet()
    refused, taken = installation.sandbox.journal("twilio.create", to=person.phone)
    assert taken["at"] - refused["at"] >= RETRY_AFTER
    assert installation.assert_one_copy(person) == ["word"]
    assert installation.sandbox.count("twilio.list", accepted=None) == 0


def test_a_list_that_shows_too_late_may_double_and_marks_it(installation: Installation) -> None:
    """The provider took the first and neither its callback nor its list shows it: the one case of a second copy."""
    installation.sandbox.faults(twilio={"fail": ["reset_after_accept"], "list_lag_seconds": 60, "status_callbacks": False})
    installation.fork()
    person = installation.person()
    installation.text(person, "word")
    installation.wait_for_replies(person, 2)
    installation.quiet()
    copies = installation.replies(person)
    assert len(copies) == 2
    assert len({reply_id(copy) for copy in copies}) == 1
    assert installation.marked(reply_id(copies[0]))


def test_an_equal_reply_that_went_out_before_is_not_taken_for_this_one(installation: Installation) -> None:
    """Claude says the same twice; the second was not taken, and the look-up must not be content with the first."""
    installation.sandbox.faults(anthropic={"text": "Yes."}, twilio={"status_callbacks": False})
    installation.fork()
    person = installation.person()
    installation.text(person, 1)
    installation.wait_for_replies(person)
    installation.quiet()
    installation.sandbox.faults(twilio={"fail": ["500"]})
    installation.text(person, 2)
    installation.wait_for_replies(person, 2)
    installation.quiet()
    assert len({reply_id(reply) for reply in installation.replies(person)}) == 2
    assert len(installation.replies(person)) == 2


def test_a_list_that_does_not_answer_is_not_taken_for_not_found(installation: Installation) -> None:
    """The look-up is asked again until it is answered; until then nothing is repeated, and it counts nothing."""
    people = {fault: installation.person() for fault in ("503", "hang", "reset_before", "broken_json")}
    fails: list[dict[str, Any]] = [{"fault": "reset_after_accept", "match": person.tag} for person in people.values()]
    fails += [{"fault": fault, "on": "list", "times": 2, "match": person.phone} for fault, person in people.items()]
    installation.sandbox.faults(twilio={"fail": fails, "status_callbacks": False})
    installation.fork()
    installation.texts(people.values(), "word")
    for person in people.values():
        installation.wait_for_lines(installation.conversation(person), "answered")
    installation.quiet()
    for person in people.values():
        assert installation.assert_one_copy(person) == ["word"]
        assert len(installation.sandbox.journal("twilio.create", to=person.phone)) == 1
        assert {line.fields["counted"] for line in installation.lines(installation.conversation(person), "backoff")} == {"0"}
    assert installation.sandbox.count("twilio.list", accepted=None) >= 3 * len(people)


def test_an_outage_of_claude_parks_the_text_tells_the_user_once_and_retry_answers_it(installation: Installation) -> None:
    """Older than ANSWER_WITHIN_MINUTES: parked, one sentence, visibly; `boss messages retry` has it answered after all."""
    installation.fork(2, ANSWER_WITHIN_MINUTES="0.03")
    person = installation.person()
    conversation = installation.conversation(person)
    installation.sandbox.faults(anthropic={"fail": [{"fault": "529", "times": None}]})
    installation.text(person, "word")
    (parked,) = installation.wait_for_lines(conversation, "parked")
    (told,) = installation.wait_for_replies(person)
    assert told["request"]["body"] == said("outage")
    installation.quiet()
    assert len(installation.replies(person)) == 1
    assert len(installation.questions(person)) > 1
    installation.sandbox.faults(anthropic={"fail": []})
    assert parked.fields["msg"] in installation.boss("messages", "list", "--parked")
    installation.boss("messages", "retry", parked.fields["msg"])
    installation.wait_for_replies(person, 2)
    installation.quiet()
    assert len(installation.replies(person)) == 2
    assert installation.assert_one_copy(person) == ["word"]


def test_an_outage_of_twilio_delays_and_drops_nothing(installation: Installation) -> None:
    """Nothing reaches Twilio for a while: every text waits its turn, and all are answered in order when it is back."""
    installation.sandbox.faults(twilio={"fail": [{"fault": "reset_before", "times": None}]})
    installation.fork()
    person = installation.person()
    for number in range(3):
        installation.text(person, number)
        installation.sandbox.wait("twilio.create", number + 1)
    installation.sandbox.faults(twilio={"fail": []})
    installation.quiet()
    assert installation.assert_one_copy(person) == ["0", "1", "2"]


def test_a_refused_key_pauses_all_sending_until_resumed(installation: Installation) -> None:
    """401 is nobody's message's fault: one alarm, everything waits uncounted, and `boss resume` lets it go on."""
    installation.sandbox.faults(twilio={"fail": ["401"]})
    installation.fork()
    first, second = installation.person(), installation.person()
    installation.text(first, "word")
    wait_for(lambda: installation.redis.hget("boss:pause", "reason"), 10, "the pause")
    installation.text(second, "word")
    installation.boss("resume")
    for person in (first, second):
        installation.wait_for_replies(person)
    installation.quiet()
    assert installation.assert_one_copy(first) == ["word"]
    assert installation.assert_one_copy(second) == ["word"]


def _enter(installation: Installation, table: Table, trouble: Trouble, people: list[Person]) -> None:
    """One row; a request to Claude is counted for what it costs, one to the others for what the user may see of it."""
    fault = f"{NAMES[trouble.provider]}: {trouble.name}"
    seen = judge(installation, [Said(person, trouble.channel, "word", fault) for person in people])[fault]
    asked = sum(len(installation.sandbox.journal(KINDS[trouble.provider], contains=person.tag)) for person in people) / len(people)
    table.add(
        fault=fault, runs=len(people), lost=seen.lost, duplicates=seen.duplicates + seen.marked, details=seen.details,
        note=f"{asked:.1f} requests a message",
    )  # fmt: skip


def _requests(installation: Installation, trouble: Trouble, person: Person) -> int:
    """How many requests there were to send somebody's reply."""
    return len(installation.sandbox.journal(SEND[trouble.channel], to=person.phone if trouble.channel == "sms" else person.email))


def _jobs(installation: Installation) -> list[tuple[float, float]]:
    """When RQ's jobs began and ended, in seconds of the epoch."""
    found = []
    for key in installation.redis.scan_iter("rq:job:*"):
        began, ended = (bytes(time or b"").decode() for time in cast("Any", installation.redis.hmget(key, "started_at", "ended_at")))
        if began and ended:
            found.append((datetime.fromisoformat(began).timestamp(), datetime.fromisoformat(ended).timestamp()))
    assert found
    return found
