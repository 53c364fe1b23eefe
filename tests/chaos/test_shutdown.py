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
from tests.support.crashing_worker_process import CrashingWorker
from tests.support.installation import Installation
from tests.support.outcome_check import judge
from tests.support.process_supervisor import ProcessSupervisor
from tests.support.traffic import Writer, writing
from tests.support.wait import wait_for

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


def test_sigterm_while_claude_thinks_hands_the_turn_over_at_once(installation: Installation, record_property: Record) -> None:
    """Nothing is in flight to a message provider, so the turn is given up and taken by the next worker within a second."""
    installation.sandbox.faults(anthropic={"latency_seconds": 3})
    (worker,) = installation.fork(1, **LONG_LEASE)
    person = installation.person()
    conversation = installation.conversation(person)
    installation.text(person, 1)
    installation.wait_for_questions(person)
    installation.fork(1, **LONG_LEASE)
    installation.sandbox.faults(anthropic={"latency_seconds": 0})
    told = installation.now_ms()
    assert _end(worker, record_property) < HONCHO_KILLS_AFTER
    installation.text(person, 2)
    installation.wait_for_lines(conversation, "answered", count=2)
    second = installation.lines(conversation, "turn_started")[1].at_ms - told
    record_property("taken_over_ms", second)
    assert second < 2000
    installation.quiet()
    assert installation.assert_one_copy(person) == ["1", "2"]


def test_sigterm_during_a_slow_send_waits_for_its_answer(installation: Installation, record_property: Record) -> None:
    """A request in flight gets the grace: its outcome is recorded, the turn finished, and nobody has to look it up."""
    installation.sandbox.faults(twilio={"latency_seconds": 2, "status_callbacks": False})
    (worker,) = installation.fork(1, **LONG_LEASE)
    person = installation.person()
    installation.text(person, 1)
    installation.wait_for_replies(person)
    assert _end(worker, record_property) < HONCHO_KILLS_AFTER
    assert len(installation.lines(installation.conversation(person), "sent")) == 1
    installation.fork(1, **LONG_LEASE)
    installation.text(person, 2)
    installation.wait_for_replies(person, 2)
    installation.quiet()
    assert installation.assert_one_copy(person) == ["1", "2"]
    assert installation.sandbox.count("twilio.list", accepted=None) == 0


def test_sigterm_with_a_send_longer_than_the_grace_leaves_it_to_the_next_holder(
    installation: Installation, record_property: Record
) -> None:
    """The process goes all the same; the reply stays `sending`, and the next holder looks it up instead of repeating it."""
    settings = LONG_LEASE | {"LEASE_SECONDS": "4", "SHUTDOWN_GRACE_SECONDS": "0.5"}
    installation.sandbox.faults(twilio={"latency_seconds": 2.8, "status_callbacks": False})
    (worker,) = installation.fork(1, **settings)
    person = installation.person()
    installation.text(person, 1)
    installation.wait_for_replies(person)
    assert _end(worker, record_property) < 0.5 + HONCHO_KILLS_AFTER - DEFAULT_GRACE
    installation.sandbox.faults(twilio={"latency_seconds": 0})
    installation.fork(1, **settings)
    installation.wait_for_lines(installation.conversation(person), "answered")
    installation.quiet()
    assert installation.assert_one_copy(person) == ["1"]
    assert installation.sandbox.count("twilio.list", accepted=None) >= 1


def test_sigterm_to_an_idle_worker_ends_it_at_once_and_well(installation: Installation, record_property: Record) -> None:
    """A real `boss worker`. Waiting for jobs is no work: nothing keeps it."""
    worker = installation.worker()
    began = time.monotonic()
    status = worker.terminate()
    seconds = time.monotonic() - began
    record_property("exit_seconds", round(seconds, 2))
    assert status == 0, worker.output[-4000:]
    assert seconds < HONCHO_KILLS_AFTER - DEFAULT_GRACE


def test_sigterm_at_any_moment_loses_nothing_doubles_nothing_and_ends_within_the_grace(
    installation: Installation, table: Table, record_property: Record
) -> None:
    """Two workers under load, one of them told to end every now and then: fifty times at full length."""
    fault, dice = "SIGTERM at a random moment", random.Random(SEED)  # noqa: S311 - dice, no secret
    installation.sandbox.faults(**BUSY)
    writers = _writers(installation, fault)
    with ProcessSupervisor(installation, 2) as supervisor, writing(writers):
        exits = []
        for _ in range(SIGTERMS):
            time.sleep(dice.uniform(0, 1))  # the signal's moment is the dice's, not a condition's
            exits.append(_end(_at_work(supervisor, dice), record_property))
    _enter(installation, table, fault, writers, exits)


@pytest.mark.parametrize("processes", [1, 2] if FULL else [2])
def test_a_control_group_kill_loses_nothing_doubles_nothing_and_leaves_nobody_to_be_killed(
    installation: Installation, table: Table, processes: int
) -> None:
    """SIGTERM to every process of web and worker at once, parents and children, as a service manager sends it; SIGKILL 5 s later."""
    fault = f"control group ended, {processes} worker process{'es' if processes > 1 else ''}"
    installation.sandbox.faults(**BUSY, inbound={"retries": 300, "retry_wait_seconds": 0.1})
    writers, exits = _writers(installation, fault), []
    with writing(writers):
        for _ in range(GROUPS):
            (worker,) = installation.fork(1, WORKER_PROCESSES=str(processes))
            _wait_for_turns(installation)
            exits.append(_end_group(installation, worker))
            installation.web.start()
        installation.fork(1)
    _enter(installation, table, fault, writers, exits)


def _at_work(supervisor: ProcessSupervisor, dice: random.Random) -> CrashingWorker:
    """Anybody who is there, and not the one who was told to end before."""

    def chosen() -> CrashingWorker | None:
        worker = dice.choice(supervisor.workers)
        return worker if worker.alive and worker.registered() else None

    return wait_for(chosen, 30, "a worker at work")


def _end_group(installation: Installation, worker: CrashingWorker) -> float:
    """The seconds until all had ended by themselves; whoever had not is killed."""
    began, children = time.monotonic(), worker.children()
    worker.signal_all(signal.SIGTERM)
    os.killpg(installation.web.pid, signal.SIGTERM)
    try:
        wait_for(lambda: not worker.alive and installation.web.returncode is not None, HONCHO_KILLS_AFTER, "the group's end")
    finally:
        worker.kill9()
        installation.web.kill9()
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
    return time.monotonic() - began


def _wait_for_turns(installation: Installation) -> None:
    """Wait until some more turns have come as far as a request to a provider."""
    since = ledger.last_seq(installation.redis)
    wait_for(lambda: sum(line.type == "sending" for line in ledger.latest(installation.redis, 100) if line.seq > since) >= 5, 20, "turns")


def _writers(installation: Installation, fault: str) -> list[Writer]:
    return [
        Writer(installation, installation.person(), channel, fault=fault, pause=1) for channel in ("sms", "sms", "email") for _ in range(4)
    ]


def _enter(installation: Installation, table: Table, fault: str, writers: list[Writer], exits: list[float]) -> None:
    installation.quiet(30)
    said = [one for writer in writers for one in writer.said]
    seen = judge(installation, said)[fault]
    table.add(
        fault=fault, runs=len(exits), lost=seen.lost, duplicates=seen.duplicates + seen.marked, disorder=seen.disorder, recoveries=exits,
        note=f"{len(said)} messages; the seconds are those to the exit", details=seen.details,
    )  # fmt: skip
    assert max(exits) < HONCHO_KILLS_AFTER


def _end(worker: CrashingWorker, record: Record) -> float:
    """SIGTERM; the seconds until it ended."""
    began = time.monotonic()
    os.kill(worker.pid, signal.SIGTERM)
    wait_for(lambda: not worker.alive, 10, "the worker's end")
    seconds = time.monotonic() - began
    record("exit_seconds", round(seconds, 2))
    return seconds
