"""Everything at once: many conversations, workers that are killed again and again, providers that fail one time in five."""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from typing import Any, Final

import pytest

from shared.mailbox import ledger
from tests.chaos.steps import LEASE
from tests.chaos.table import FULL, Table
from tests.support.installation import Installation
from tests.support.outcome_check import judge
from tests.support.process_supervisor import ProcessSupervisor
from tests.support.scheduler_lag import SchedulerLag
from tests.support.traffic import Writer, writing

SEED: Final = 20261122
CONVERSATIONS: Final = 200 if FULL else 40
THREADS: Final = 20 if FULL else 8
TEXTS: Final = 20 if FULL else 5
MAILS: Final = 10 if FULL else 3
WORKERS: Final = 4 if FULL else 2
SECONDS: Final = 100 if FULL else 3
"""How long people write: so that kills and repeats fall among their messages."""
KILL_SECONDS: Final = (1.0, 4.0) if FULL else (0.3, 1.0)
IDLE_SECONDS: Final = LEASE + 10
SHAKY: Final[dict[str, Any]] = {
    "inbound": {"retries": 5},
    "twilio": {
        "latency_seconds": [0, 0.1],
        "status_callbacks": False,
        "list_lag_seconds": 0.25,
        "fail": [
            {"fault": "503", "rate": 0.05},
            {"fault": "500", "rate": 0.03},
            {"fault": "429", "retry_after": 1, "rate": 0.03},
            {"fault": "reset_after_accept", "rate": 0.04},
            {"fault": "500", "accept": True, "rate": 0.03},
            {"fault": "reset_before", "rate": 0.03},
        ],
    },
    "sendgrid": {
        "latency_seconds": [0, 0.1],
        "fail": [
            {"fault": "503", "rate": 0.1},
            {"fault": "reset_after_accept", "rate": 0.05},
            {"fault": "500", "accept": True, "rate": 0.05},
        ],
    },
    "anthropic": {"latency_seconds": [0, 0.4], "fail": [{"fault": "529", "rate": 0.1}, {"fault": "reset_before", "rate": 0.1}]},
}
"""One request in five fails."""

pytestmark = pytest.mark.timeout(300 if FULL else 90)


def test_under_kills_and_shaky_providers_nothing_is_lost_doubled_or_out_of_order_and_no_conversation_stands_still(
    installation: Installation, table: Table
) -> None:
    """Texts and mails; two workers, or four, of which one is killed every second or so. No callback: what a text became is looked up.

    A message whose turn died under six workers, or a mail with two attempts of unknown outcome, is set aside, visibly: that is not lost.
    """
    installation.sandbox.faults(**SHAKY)
    fault = "random kills, 20 % provider faults"
    writers = [
        Writer(installation, installation.person(), "sms", fault=fault, pause=SECONDS / TEXTS, most=TEXTS) for _ in range(CONVERSATIONS)
    ]
    writers += [
        Writer(installation, installation.person(), "email", fault=fault, pause=SECONDS / MAILS, most=MAILS) for _ in range(THREADS)
    ]
    scheduler_lag = SchedulerLag()
    with scheduler_lag.watched(), ProcessSupervisor(installation, WORKERS) as supervisor:
        with writing(writers) as threads:
            _kill_until_written(supervisor, threads)
        installation.quiet(60)
    said = [one for writer in writers for one in writer.said]
    assert len(said) == CONVERSATIONS * TEXTS + THREADS * MAILS
    seen = judge(installation, said)[fault]
    idle = _longest_idle(installation)
    table.add(
        fault=fault, runs=supervisor.replaced, lost=seen.lost - seen.parked, duplicates=seen.duplicates, disorder=seen.disorder,
        marked=seen.marked, recoveries=[seconds for seconds, _ in idle], details=seen.details,
        note=f"{len(said)} messages, {seen.parked} set aside",
    )  # fmt: skip
    assert supervisor.replaced >= 3
    assert [one for one in idle if one[0] > IDLE_SECONDS + scheduler_lag.between(one[1], one[1] + one[0])] == []


def _kill_until_written(supervisor: ProcessSupervisor, threads: list[threading.Thread]) -> None:
    """Kill somebody at random moments until all has been written."""
    dice = random.Random(SEED)  # noqa: S311 - dice, no secret
    while any(thread.is_alive() for thread in threads):
        time.sleep(dice.uniform(*KILL_SECONDS))  # the kill's moment is the dice's, not a condition's
        dice.choice(supervisor.workers).kill9()


def _longest_idle(installation: Installation) -> list[tuple[float, float]]:
    """For each conversation the longest time in which it had work and no line told of it, in seconds, and when that began."""
    work: dict[str, set[str]] = defaultdict(set)
    last: dict[str, int] = {}
    idle: dict[str, tuple[float, float]] = {}
    for line in ledger.latest(installation.redis, 100_000):
        conversation = line.fields.get("conv", "")
        if work[conversation]:
            waited = (line.at_ms - last[conversation]) / 1000
            idle[conversation] = max(idle.get(conversation, (0.0, 0.0)), (waited, last[conversation] / 1000))
        last[conversation] = line.at_ms
        _keep_count(work[conversation], line)
    return list(idle.values())


def _keep_count(work: set[str], line: ledger.Line) -> None:
    if line.type.endswith("_received"):
        work.add(line.fields["msg"])
    elif line.type == "answered":
        work.discard(line.fields["msg"])
