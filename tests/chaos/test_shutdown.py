"""SIGTERM in the middle of a turn, to a real `boss worker`: nothing lost, nothing twice, out within the grace."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest

from shared.settings import Settings
from tests.support.processes import WorkerProcess
from tests.support.whole import Whole

pytestmark = pytest.mark.timeout(120)  # two cores may be shared with much else
LONG_LEASE = {"LEASE_SECONDS": "30", "SEND_TIMEOUT_SECONDS": "3"}
"""Whoever waits for this lease is seen to have waited."""
HONCHO_KILLS_AFTER = 5.0
DEFAULT_GRACE = Settings.model_fields["shutdown_grace_seconds"].default

Record = Callable[[str, object], None]


def test_sigterm_while_claude_thinks_hands_the_turn_over_at_once(whole: Whole, record_property: Record) -> None:
    """Nothing is in flight to a message provider, so the turn is given up and taken by the next worker within a second."""
    whole.sandbox.knobs(anthropic={"latency_seconds": 3})
    worker = whole.worker(**LONG_LEASE)
    person = whole.person()
    conversation = whole.conversation(person)
    whole.text(person, 1)
    whole.wait_for_questions(person)
    whole.fork(1, **LONG_LEASE)
    whole.sandbox.knobs(anthropic={"latency_seconds": 0})
    told = whole.now_ms()
    assert _end(worker, record_property) < HONCHO_KILLS_AFTER
    whole.text(person, 2)
    whole.wait_for_lines(conversation, "answered", count=2)
    second = whole.lines(conversation, "turn_started")[1].at_ms - told
    record_property("taken_over_ms", second)
    assert second < 2000
    whole.quiet()
    assert whole.assert_one_copy(person) == ["1", "2"]


def test_sigterm_during_a_slow_send_waits_for_its_answer(whole: Whole, record_property: Record) -> None:
    """A request in flight gets the grace: its outcome is recorded, the turn finished, and nobody has to look it up."""
    whole.sandbox.knobs(twilio={"latency_seconds": 2, "status_callbacks": False})
    worker = whole.worker(**LONG_LEASE)
    person = whole.person()
    whole.text(person, 1)
    whole.wait_for_replies(person)
    assert _end(worker, record_property) < HONCHO_KILLS_AFTER
    assert len(whole.lines(whole.conversation(person), "sent")) == 1
    whole.fork(1, **LONG_LEASE)
    whole.text(person, 2)
    whole.wait_for_replies(person, 2)
    whole.quiet()
    assert whole.assert_one_copy(person) == ["1", "2"]
    assert whole.sandbox.count("twilio.list", accepted=None) == 0


def test_sigterm_with_a_send_longer_than_the_grace_leaves_it_to_the_next_holder(whole: Whole, record_property: Record) -> None:
    """The process goes all the same; the reply stays `sending`, and the next holder looks it up instead of repeating it."""
    settings = LONG_LEASE | {"LEASE_SECONDS": "4", "SHUTDOWN_GRACE_SECONDS": "0.5"}
    whole.sandbox.knobs(twilio={"latency_seconds": 2.8, "status_callbacks": False})
    worker = whole.worker(**settings)
    person = whole.person()
    whole.text(person, 1)
    whole.wait_for_replies(person)
    assert _end(worker, record_property) < 0.5 + HONCHO_KILLS_AFTER - DEFAULT_GRACE
    whole.sandbox.knobs(twilio={"latency_seconds": 0})
    whole.fork(1, **settings)
    whole.wait_for_lines(whole.conversation(person), "answered")
    whole.quiet()
    assert whole.assert_one_copy(person) == ["1"]
    assert whole.sandbox.count("twilio.list", accepted=None) >= 1


def test_sigterm_to_an_idle_worker_ends_it_at_once(whole: Whole, record_property: Record) -> None:
    """Waiting for jobs is no work: nothing keeps it."""
    assert _end(whole.worker(), record_property) < HONCHO_KILLS_AFTER - DEFAULT_GRACE


def _end(worker: WorkerProcess, record: Record) -> float:
    """SIGTERM; the seconds until it ended, well."""
    began = time.monotonic()
    worker.signal(signal.SIGTERM)
    status = worker.wait(10)
    seconds = time.monotonic() - began
    record("exit_seconds", round(seconds, 2))
    assert status == 0, worker.output[-4000:]
    return seconds
