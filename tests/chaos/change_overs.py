"""From the death of all workers to the standby's answer: what the tests of its change-overs share."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import cast

from shared.mailbox.calls import STANDBY
from tests.support.crashing_worker_process import CrashingWorker
from tests.support.installation import Installation, Person
from tests.support.wait import wait_for

Record = Callable[[str, object], None]


def killed_and_answered(installation: Installation, workers: list[CrashingWorker], asker: Person, change: int) -> float:
    """The seconds from the death of all workers to the standby's answer to the next text."""
    began = time.monotonic()
    for worker in workers:
        worker.kill9()
    installation.text(asker, f"after {change}")
    installation.wait_for_replies(asker, 2 * change + 2, 60)
    took = time.monotonic() - began
    assert any(name.startswith(STANDBY) for name in _registered(installation))
    return took


def watches(installation: Installation) -> None:
    """Wait until the standby does nothing but watch."""
    wait_for(
        lambda: [b'"state":"watching"' in entry for entry in installation.redis.hvals("boss:standby")] == [True],
        60,
        "the standby's leaving",
    )
    assert not any(name.startswith(STANDBY) for name in _registered(installation))


def _registered(installation: Installation) -> list[str]:
    keys = cast("set[bytes]", installation.redis.smembers("rq:workers"))
    return [key.decode().removeprefix("rq:worker:") for key in keys]


def report(record: Record, took: list[float], texts: int) -> None:
    """Print the figures of a run, and keep them with its test."""
    figures = f"{len(took)} change-overs, {texts} texts: kill to answer p50 {statistics.median(took):.1f} s, max {max(took):.1f} s"
    print(figures)  # noqa: T201 - shown by `make chaos`
    record("standby", figures)
