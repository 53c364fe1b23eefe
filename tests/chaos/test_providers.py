"""The providers at their worst: whatever becomes of a request, the user gets one copy; an outage ends in one plain sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pytest

from supervisor_worker.sentences import NOTICES
from tests.support.wait import wait_for
from tests.support.whole import Person, Whole, in_threads, reply_id

pytestmark = pytest.mark.timeout(120)  # two cores may be shared with much else
RETRY_AFTER: Final = 2


@dataclass(frozen=True, eq=False)
class Trouble:
    """One person's share of it: the faults that hit the requests with their words, at Twilio, SendGrid or Claude."""

    name: str
    provider: str
    faults: tuple[dict[str, Any], ...]
    channel: str = "sms"
    requests: int = 1


TROUBLES: Final = (
    Trouble("reset after accept", "twilio", ({"fault": "reset_after_accept"},)),
    Trouble("500 after accept", "twilio", ({"fault": "500", "accept": True},)),
    Trouble("hang after accept", "twilio", ({"fault": "hang", "accept": True},)),
    Trouble("half an answer", "twilio", ({"fault": "reset_midway"},)),
    Trouble("broken JSON", "twilio", ({"fault": "broken_json"},)),
    Trouble("500, nothing taken", "twilio", ({"fault": "500"},), requests=2),
    Trouble("hang, nothing taken", "twilio", ({"fault": "hang"},), requests=2),
    Trouble("reset before", "twilio", ({"fault": "reset_before"},), requests=2),
    Trouble("503 three times", "twilio", ({"fault": "503", "times": 3},), requests=4),
    Trouble("mail: reset after accept", "sendgrid", ({"fault": "reset_after_accept"},), "email"),
    Trouble("mail: 500 after accept", "sendgrid", ({"fault": "500", "accept": True},), "email"),
    Trouble("mail: hang after accept", "sendgrid", ({"fault": "hang", "accept": True},), "email"),
    Trouble("mail: 503, nothing taken", "sendgrid", ({"fault": "503"},), "email", requests=2),
    Trouble("Claude: overloaded, then reset", "anthropic", ({"fault": "529", "times": 2}, {"fault": "reset_before"})),
    Trouble("Claude: half an answer", "anthropic", ({"fault": "reset_midway"},)),
)
SEND: Final = {"sms": "twilio.create", "email": "sendgrid.send"}


def test_one_copy_whatever_becomes_of_a_request(whole: Whole) -> None:
    """All troubles at once, a person each; no status callback, and Twilio's list a second late: only the look-up can tell."""
    people = {trouble: whole.person() for trouble in TROUBLES}
    faults: dict[str, list[dict[str, Any]]] = {"twilio": [], "sendgrid": [], "anthropic": []}
    for trouble, person in people.items():
        faults[trouble.provider] += [{**fault, "match": person.tag} for fault in trouble.faults]
    whole.sandbox.knobs(
        twilio={"fail": faults["twilio"], "list_lag_seconds": 1, "status_callbacks": False},
        sendgrid={"fail": faults["sendgrid"]},
        anthropic={"fail": faults["anthropic"]},
    )
    whole.fork(CLAUDE_TIMEOUT_SECONDS="2")
    in_threads(lambda item: (whole.text if item[0].channel == "sms" else whole.mail)(item[1], "word"), people.items())
    whole.quiet(30)
    seen = {trouble.name: _seen(whole, trouble, person) for trouble, person in people.items()}
    assert seen == {trouble.name: (["word"], trouble.requests) for trouble in TROUBLES}


def test_429_with_retry_after_is_waited_out(whole: Whole) -> None:
    """Twilio says when to come again; nothing is asked of it before, and nothing is looked up, for nothing was taken."""
    whole.fork()
    person = whole.person()
    whole.sandbox.knobs(twilio={"fail": [{"fault": "429", "retry_after": RETRY_AFTER}]})
    whole.text(person, "word")
    whole.wait_for_replies(person)
    whole.quiet()
    refused, taken = whole.sandbox.journal("twilio.create", to=person.phone)
    assert taken["at"] - refused["at"] >= RETRY_AFTER
    assert whole.assert_one_copy(person) == ["word"]
    assert whole.sandbox.count("twilio.list", accepted=None) == 0


def test_a_list_that_shows_too_late_may_double_and_marks_it(whole: Whole) -> None:
    """The provider took the first and neither its callback nor its list shows it: the one case of a second copy."""
    whole.sandbox.knobs(twilio={"fail": ["reset_after_accept"], "list_lag_seconds": 60, "status_callbacks": False})
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
    whole.sandbox.knobs(anthropic={"text": "Yes."}, twilio={"status_callbacks": False})
    whole.fork()
    person = whole.person()
    whole.text(person, 1)
    whole.wait_for_replies(person)
    whole.quiet()
    whole.sandbox.knobs(twilio={"fail": ["500"]})
    whole.text(person, 2)
    whole.wait_for_replies(person, 2)
    whole.quiet()
    assert len({reply_id(reply) for reply in whole.replies(person)}) == 2
    assert len(whole.replies(person)) == 2


@pytest.mark.parametrize("fault", ["503", "hang", "reset_before", "broken_json"])
def test_a_list_that_does_not_answer_is_not_taken_for_not_found(whole: Whole, fault: str) -> None:
    """The look-up is asked again until it is answered; until then nothing is repeated, and it counts nothing."""
    fails = ["reset_after_accept", {"fault": fault, "on": "list", "times": 2}]
    whole.sandbox.knobs(twilio={"fail": fails, "status_callbacks": False})
    whole.fork()
    person = whole.person()
    whole.text(person, "word")
    whole.wait_for_lines(whole.conversation(person), "answered")
    whole.quiet()
    assert whole.assert_one_copy(person) == ["word"]
    assert whole.sandbox.count("twilio.create", accepted=None) == 1
    assert {line.fields["counted"] for line in whole.lines(whole.conversation(person), "backoff")} == {"0"}


def test_an_outage_of_claude_parks_the_text_tells_the_user_once_and_retry_answers_it(whole: Whole) -> None:
    """Older than ANSWER_WITHIN_MINUTES: parked, one sentence, visibly; `boss messages retry` has it answered after all."""
    whole.fork(2, ANSWER_WITHIN_MINUTES="0.03")
    person = whole.person()
    conversation = whole.conversation(person)
    whole.sandbox.knobs(anthropic={"fail": [{"fault": "529", "times": None}]})
    whole.text(person, "word")
    (parked,) = whole.wait_for_lines(conversation, "parked")
    (told,) = whole.wait_for_replies(person)
    assert told["request"]["body"] == NOTICES["outage"]
    whole.quiet()
    assert len(whole.replies(person)) == 1
    assert len(whole.questions(person)) > 1
    whole.sandbox.knobs(anthropic={"fail": []})
    assert parked.fields["msg"] in whole.boss("messages", "list", "--parked")
    whole.boss("messages", "retry", parked.fields["msg"])
    whole.wait_for_replies(person, 2)
    whole.quiet()
    assert len(whole.replies(person)) == 2
    assert whole.assert_one_copy(person) == ["word"]


def test_an_outage_of_twilio_delays_and_drops_nothing(whole: Whole) -> None:
    """Nothing reaches Twilio for a while: every text waits its turn, and all are answered in order when it is back."""
    whole.sandbox.knobs(twilio={"fail": [{"fault": "reset_before", "times": None}]})
    whole.fork()
    person = whole.person()
    for number in range(3):
        whole.text(person, number)
        whole.sandbox.wait("twilio.create", number + 1)
    whole.sandbox.knobs(twilio={"fail": []})
    whole.quiet()
    assert whole.assert_one_copy(person) == ["0", "1", "2"]


def test_a_refused_key_pauses_all_sending_until_resumed(whole: Whole) -> None:
    """401 is nobody's message's fault: one alarm, everything waits uncounted, and `boss resume` lets it go on."""
    whole.sandbox.knobs(twilio={"fail": ["401"]})
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


def _seen(whole: Whole, trouble: Trouble, person: Person) -> tuple[list[str], int]:
    """What a person got, and how many requests to send it there were."""
    to = person.phone if trouble.channel == "sms" else person.email
    words = whole.assert_one_copy(person, trouble.channel)
    return words, len(whole.sandbox.journal(SEND[trouble.channel], to=to))
