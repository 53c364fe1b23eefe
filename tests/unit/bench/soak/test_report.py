"""A soak passes only when nothing is lost, doubled or disordered, and memory stays as it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from bench.soak.memory import KeyCount, Sample, bytes_a_message, medians
from bench.soak.options import SoakOptions
from bench.soak.report import SoakResult
from tests.support.load import Report

REPORT = Report(
    fault="soak", seconds=3600, messages=18000, lost=0, twice=0, marked=2, out_of_order=0, webhooks=16000, not_taken=9,
    p50=0.004, p99=0.02, longest=1.9, drained_after=1.5,
)  # fmt: skip


def samples(worker: Callable[[float], float] = lambda _: 105.0, redis: Callable[[int], float] = lambda n: 3000.0 * n) -> list[Sample]:
    """An hour's: five messages a second."""
    return [
        Sample(at, {"worker b": worker(at), "web b": 70.0}, int(2_000_000 + redis(int(at * 5))), int(at * 5))
        for at in (step * 10.0 for step in range(360))
    ]


def result(**changes: object) -> SoakResult:
    good = SoakResult(options=SoakOptions(), report=REPORT, process_faults=Counter(), repeats=Counter(), failures=(), samples=samples())
    return replace(good, **changes)  # type: ignore[arg-type]


def test_a_good_one_passes_and_says_so() -> None:
    """Marked second copies are what is promised."""
    assert result().violations == []
    assert [*result().lines()][-1] == "passed"


@pytest.mark.parametrize("fault", ["lost", "twice", "out_of_order"])
def test_a_single_message_fails_it(fault: str) -> None:
    """Whatever else was right."""
    report = replace(REPORT, **{fault: 1}, details=("sms u0001-7",))  # type: ignore[arg-type]
    assert len(result(report=report).violations) == 2
    assert [*result(report=report).lines()][-1] == "failed"


def test_a_process_that_ended_by_itself_fails_it() -> None:
    """Also when nothing was lost by it."""
    assert result(failures=["bridge ended by itself with status 1"]).violations == ["bridge ended by itself with status 1"]


def test_growth_from_the_second_third_to_the_last_fails_it() -> None:
    """A leak of a MiB a minute; a warm-up in the first third is none."""
    (fault,) = result(samples=samples(worker=lambda at: 105 + at / 60)).violations
    assert "worker b grew" in fault
    assert result(samples=samples(worker=lambda at: 80 + min(at, 1100) / 50)).violations == []


def test_a_spared_process_that_was_never_seen_fails_it() -> None:
    """No figure is no proof."""
    bare = [replace(sample, processes={"web b": 70.0}) for sample in samples()]
    assert len(result(samples=bare).violations) == 1


def test_redis_may_grow_by_its_records_and_no_faster() -> None:
    """So many bytes a message, the same in the last third."""
    assert bytes_a_message(samples()) == pytest.approx(3000)
    (fault,) = result(samples=samples(redis=lambda n: n * n / 5)).violations
    assert "bytes to Redis" in fault


def test_keys_that_never_expire_may_not_be_as_many_as_messages() -> None:
    """Retention is an expiry; what conversations have for ever is told, not judged."""
    assert result(key_counts=[KeyCount("boss:msg", 18000, 0), KeyCount("boss:conv", 300, 300)]).violations == []
    assert result(key_counts=[KeyCount("boss:msg", 18000, 18000)]).violations == ["18000 keys boss:msg never expire"]


def test_memory_of_a_short_or_interrupted_soak_is_shown_and_not_judged() -> None:
    """The messages are judged all the same."""
    grown = samples(worker=lambda at: 105 + at / 60)
    assert result(samples=grown, options=SoakOptions(minutes=5)).violations == []
    assert result(samples=grown, cut_short=True).violations == []
    assert result(samples=grown, cut_short=True, report=replace(REPORT, lost=1)).violations == ["1 lost"]


def test_while_the_server_is_away_its_memory_is_not_zero_but_unknown() -> None:
    """A look that found nobody counts for nothing."""
    seen = samples()
    seen[-1] = replace(seen[-1], redis_bytes=0, processes={})
    assert bytes_a_message(seen) == pytest.approx(3000)
    assert medians(seen, "worker b") == (105, 105, 105)
