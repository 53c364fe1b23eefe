"""SIGTERM in the middle of a turn, at any moment, to one worker or a whole service: nothing lost, nothing twice, out within the grace."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from shared.config.settings import Settings
from shared.mailbox import ledger
from tests.chaos.table import FULL, Table
from tests.support.forked import ForkedWorker
from tests.support.keeper import Keeper
from tests.support.verdict import judge
from tests.support.wait import wait_for
from tests.support.whole import Whole
from tests.support.writers import Writer, writing

pytestmark = pytest.mark.timeout(300 if FULL else 120)  # two cores may be shared with much else
LONG_LEASE = {"LEASE_SECONDS": "30", "SEND_TIMEOUT_SECONDS": "3"}
"""Whoever waits for this lease is seen to have waited."""
HONCHO_KILLS_AFTER = 5.0
DEFAULT_GRACE = Settings.model_fields["shutdown_grace_seconds"].default

SEED = 20261122
SIGTERMS = 50 if FULL else 4
GROUPS = 10 if FULL else 1
BUSY: Final[dict[str, Any]] = {
    "anthropic": {"latency_seconds": [0, 0.5]},
    "twilio": {"latency_seconds": [0, 0.5], "status_callbacks": False, "list_lag_seconds": 0.25},
    "sendgrid": {"latency_seconds": [0, 0.5]},
}
"""So that a signal meets turns at every step."""

Record = Callable[[str, object], None]


def test_sigterm_while_claude_thinks_hands_the_turn_over_at_once(whole: Whole, record_property: Record) -> None:
    """Nothing is in flight to a message provider, so the turn is given up and taken by the next worker within a second."""
    whole.sandbox.faults(anthropic={"latency_seconds": 3})
    (worker,) = whole.fork(1, **LONG_LEASE)
    person = whole.person()
    conversation = whole.conversation(person)
    whole.text(person, 1)
    whole.wait_for_questions(person)
    whole.fork(1, **LONG_LEASE)
    whole.sandbox.faults(anthropic={"latency_seconds": 0})
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
    whole.sandbox.faults(twilio={"latency_seconds": 2, "status_callbacks": False})
    (worker,) = whole.fork(1, **LONG_LEASE)
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
    whole.sandbox.faults(twilio={"latency_seconds": 2.8, "status_callbacks": False})
    (worker,) = whole.fork(1, **settings)
    person = whole.person()
    whole.text(person, 1)
    whole.wait_for_replies(person)
    assert _end(worker, record_property) < 0.5 + HONCHO_KILLS_AFTER - DEFAULT_GRACE
    whole.sandbox.faults(twilio={"latency_seconds": 0})
    whole.fork(1, **settings)
    whole.wait_for_lines(whole.conversation(person), "answered")
    whole.quiet()
    assert whole.assert_one_copy(person) == ["1"]
    assert whole.sandbox.count("twilio.list", accepted=None) >= 1


def test_sigterm_to_an_idle_worker_ends_it_at_once_and_well(whole: Whole, record_property: Record) -> None:
    """A real `boss worker`. Waiting for jobs is no work: nothing keeps it."""
    worker = whole.worker()
    began = time.monotonic()
    status = worker.terminate()
    seconds = time.monotonic() - began
    record_property("exit_seconds", round(seconds, 2))
    assert status == 0, worker.output[-4000:]
    assert seconds < HONCHO_KILLS_AFTER - DEFAULT_GRACE


def test_sigterm_at_any_moment_loses_nothing_doubles_nothing_and_ends_within_the_grace(
    whole: Whole, table: Table, record_property: Record
) -> None:
    """Two workers under load, one of them told to end every now and then: fifty times at full length."""
    fault, dice = "SIGTERM at a random moment", random.Random(SEED)  # noqa: S311 - dice, no secret
    whole.sandbox.faults(**BUSY)
    writers = _writers(whole, fault)
    with Keeper(whole, 2) as keeper, writing(writers):
        exits = []
        for _ in range(SIGTERMS):
            time.sleep(dice.uniform(0, 1))  # the signal's moment is the dice's, not a condition's
            exits.append(_end(_at_work(keeper, dice), record_property))
    _enter(whole, table, fault, writers, exits)


@pytest.mark.parametrize("processes", [1, 2] if FULL else [2])
def test_a_control_group_kill_loses_nothing_doubles_nothing_and_leaves_nobody_to_be_killed(
    whole: Whole, table: Table, processes: int
) -> None:
    """SIGTERM to every process of web and worker at once, parents and children, as a service manager sends it; SIGKILL 5 s later."""
    fault = f"control group ended, {processes} worker process{'es' if processes > 1 else ''}"
    whole.sandbox.faults(**BUSY, inbound={"retries": 300, "retry_wait_seconds": 0.1})
    writers, exits = _writers(whole, fault), []
    with writing(writers):
        for _ in range(GROUPS):
            (worker,) = whole.fork(1, WORKER_PROCESSES=str(processes))
            _wait_for_turns(whole)
            exits.append(_end_group(whole, worker))
            whole.web.start()
        whole.fork(1)
    _enter(whole, table, fault, writers, exits)


def _at_work(keeper: Keeper, dice: random.Random) -> ForkedWorker:
    """Anybody who is there, and not the one who was told to end before."""

    def chosen() -> ForkedWorker | None:
        worker = dice.choice(keeper.workers)
        return worker if worker.alive and worker.registered() else None

    return wait_for(chosen, 30, "a worker at work")


def _end_group(whole: Whole, worker: ForkedWorker) -> float:
    """The seconds until all had ended by themselves; whoever had not is killed."""
    began, children = time.monotonic(), worker.children()
    worker.signal_all(signal.SIGTERM)
    os.killpg(whole.web.pid, signal.SIGTERM)
    try:
        wait_for(lambda: not worker.alive and whole.web.returncode is not None, HONCHO_KILLS_AFTER, "the group's end")
    finally:
        worker.kill9()
        whole.web.kill9()
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
    return time.monotonic() - began


def _wait_for_turns(whole: Whole) -> None:
    """Wait until some more turns have come as far as a request to a provider."""
    since = ledger.last_seq(whole.redis)
    wait_for(lambda: sum(line.type == "sending" for line in ledger.latest(whole.redis, 100) if line.seq > since) >= 5, 20, "turns")


def _writers(whole: Whole, fault: str) -> list[Writer]:
    return [Writer(whole, whole.person(), channel, fault=fault, pause=1) for channel in ("sms", "sms", "email") for _ in range(4)]


def _enter(whole: Whole, table: Table, fault: str, writers: list[Writer], exits: list[float]) -> None:
    whole.quiet(30)
    said = [one for writer in writers for one in writer.said]
    seen = judge(whole, said)[fault]
    table.add(
        fault=fault, runs=len(exits), lost=seen.lost, duplicates=seen.duplicates + seen.marked, disorder=seen.disorder, recoveries=exits,
        note=f"{len(said)} messages; the seconds are those to the exit", details=seen.details,
    )  # fmt: skip
    assert max(exits) < HONCHO_KILLS_AFTER


def _end(worker: ForkedWorker, record: Record) -> float:
    """SIGTERM; the seconds until it ended."""
    began = time.monotonic()
    os.kill(worker.pid, signal.SIGTERM)
    wait_for(lambda: not worker.alive, 10, "the worker's end")
    seconds = time.monotonic() - began
    record("exit_seconds", round(seconds, 2))
    return seconds
