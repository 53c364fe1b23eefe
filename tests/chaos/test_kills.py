"""kill -9 of a worker at each step of a turn: nothing lost, nothing sent twice, and the next worker goes on within the lease.

Each case kills two processes at once, one in a text's turn and one in a mail's; each worker holds one turn at a time, so that
a death takes nothing else with it. Workers that take over stand by from the beginning.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.settings import Settings
from tests.support.plans import Plans
from tests.support.whole import Person, Whole, reply_id

pytestmark = pytest.mark.timeout(120)  # two cores may be shared with much else
LEASE = 3
DEFAULT_LEASE_TEST = "at_the_default_lease"
GRACE_MS = 2000
Record = Callable[[str, object], None]


@dataclass(frozen=True)
class Waiting:
    """A conversation at the default times, whose worker was killed at `killed_ms` of the server's time."""

    whole: Whole
    person: Person
    conversation: str
    killed_ms: int


@pytest.fixture(scope="module", autouse=True)
def waiting(request: pytest.FixtureRequest, shared_whole: Whole, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Waiting | None]:
    """The minute that the default lease takes begins before all other tests and passes beside them."""
    if not any(DEFAULT_LEASE_TEST in item.name for item in request.session.items):
        yield None
        return
    plans = Plans(tmp_path_factory.mktemp("plans"))
    with Whole(times={}, nursery=shared_whole.nursery, CRASH_DIR=str(plans.directory)) as whole:
        whole.fork(2)
        whole.sandbox.knobs(anthropic={"latency_seconds": 5})
        person = whole.person()
        whole.text(person, "patience")
        whole.wait_for_questions(person)
        killed_ms = whole.now_ms()
        os.kill(plans.holder(whole.conversation(person)), signal.SIGKILL)
        whole.sandbox.knobs(anthropic={"latency_seconds": 0})
        yield Waiting(whole, person, whole.conversation(person), killed_ms)


@pytest.fixture
def plans(whole: Whole, tmp_path: Path) -> Plans:
    """Three workers that do as these plans say."""
    whole.fork(3, CRASH_DIR=str(tmp_path), WORKER_CONCURRENCY="1")
    return Plans(tmp_path)


def test_a_mail_whose_event_never_comes_may_go_out_twice_and_is_marked(plans: Plans, whole: Whole) -> None:
    """SendGrid has no list: with its event lost as well, the second copy carries the same Message-ID and the reply its mark."""
    whole.sandbox.knobs(sendgrid={"events": False})
    mailer = whole.person()
    plans.kill(whole.conversation(mailer, "email"), "before:outcome")
    whole.mail(mailer, 1)
    whole.wait_for_lines(whole.conversation(mailer, "email"), "answered")
    whole.quiet()
    copies = whole.replies(mailer, "email")
    assert len({reply_id(copy) for copy in copies}) == 1
    assert len({copy["request"]["headers"]["Message-ID"] for copy in copies}) == 1
    assert len(copies) == 2
    assert whole.marked(reply_id(copies[0]))


def test_a_kill_after_finish_repeats_nothing(plans: Plans, whole: Whole) -> None:
    """The worker dies before RQ hears that the job is done: nobody runs that turn again, and the next text is answered."""
    writer = whole.person()
    conversation = whole.conversation(writer)
    plans.kill(conversation, "after:outcome")
    whole.text(writer, 1)
    plans.wait_for_hits(conversation)
    whole.quiet()
    whole.text(writer, 2)
    whole.wait_for_replies(writer, 2)
    whole.quiet()
    assert whole.assert_one_copy(writer) == ["1", "2"]
    assert len(whole.questions(writer)) == 2


def test_at_the_default_lease_the_next_line_comes_within_62_seconds(waiting: Waiting, record_property: Record) -> None:
    """Killed while Claude thinks; a worker stands by, and takes over when the lease has ended."""
    lease_ms = Settings.model_fields["lease_seconds"].default * 1000
    assert lease_ms == 60_000
    waiting.whole.wait_for_lines(waiting.conversation, "answered", seconds=75)
    waited = next(line.at_ms for line in waiting.whole.lines(waiting.conversation) if line.at_ms > waiting.killed_ms) - waiting.killed_ms
    record_property("recovery_ms", waited)
    assert waited <= lease_ms + GRACE_MS
    waiting.whole.quiet()
    assert waiting.whole.assert_one_copy(waiting.person) == ["patience"]
