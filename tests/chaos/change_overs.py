"""From the death of all workers to the standby's answer: what the tests of its change-overs share."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import cast

from shared.mailbox.calls import STANDBY
from tests.support.forked import ForkedWorker
from tests.support.wait import wait_for
from tests.support.whole import Person, Whole

Record = Callable[[str, object], None]


def killed_and_answered(whole: Whole, workers: list[ForkedWorker], asker: Person, change: int) -> float:
    """The seconds from the death of all workers to the standby's answer to the next text."""
    began = time.monotonic()
    for worker in workers:
        worker.kill9()
    whole.text(asker, f"after {change}")
    whole.wait_for_replies(asker, 2 * change + 2, 60)
    took = time.monotonic() - began
    assert any(name.startswith(STANDBY) for name in _registered(whole))
    return took


def watches(whole: Whole) -> None:
    """Wait until the standby does nothing but watch."""
    wait_for(lambda: [b'"state":"watching"' in entry for entry in whole.redis.hvals("boss:standby")] == [True], 60, "the standby's leaving")
    assert not any(name.startswith(STANDBY) for name in _registered(whole))


def _registered(whole: Whole) -> list[str]:
    keys = cast("set[bytes]", whole.redis.smembers("rq:workers"))
    return [key.decode().removeprefix("rq:worker:") for key in keys]


def report(record: Record, took: list[float], texts: int) -> None:
    """Print the figures of a run, and keep them with its test."""
    figures = f"{len(took)} change-overs, {texts} texts: kill to answer p50 {statistics.median(took):.1f} s, max {max(took):.1f} s"
    print(figures)  # noqa: T201 - shown by `make chaos`
    record("standby", figures)
