"""Who lives, by any sequence of looks: never too soon, never too late."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor_worker.standby.worker_monitor import MAX_GAP_SHARE, WorkerMonitor

AFTER = 15.0
STEP = AFTER * MAX_GAP_SHARE

looks = st.lists(
    st.tuples(
        st.floats(0.01, 2 * STEP),
        st.one_of(st.none(), st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(0, 2).map(str), max_size=3)),
    ),
    max_size=40,
)
"""Seconds since the look before, and the heartbeats, or None for a Redis that is away."""


def watch(monitor: WorkerMonitor, heartbeats: dict[str, str], begin: float, seconds: float) -> float:
    """Look twice a second; the time of the last look."""
    steps = int(seconds * 2)
    for number in range(1, steps + 1):
        monitor.observe(heartbeats, begin + number / 2)
    return begin + steps / 2


@settings(deadline=None)
@given(looks)
def test_nobody_is_called_dead_before_the_full_time_was_watched_without_a_sign(sequence: list[tuple[float, dict[str, str] | None]]) -> None:
    """Whatever comes: a changed heartbeat, an outage and a pause in our own looking all begin the full time anew."""
    monitor, now, begun, known = WorkerMonitor(AFTER, 0.0), 0.0, 0.0, dict[str, str]()
    for seconds, heartbeats in sequence:
        now += seconds
        if heartbeats is None:
            monitor.interrupted(now)
            begun = now
        else:
            monitor.observe(heartbeats, now)
            if seconds > STEP or any(known.get(name) != beat for name, beat in heartbeats.items()):
                begun = now
            known = heartbeats
        assert monitor.none_alive(now) == (now - begun >= AFTER)


@settings(deadline=None)
@given(looks, st.dictionaries(st.sampled_from(["a", "b"]), st.just("old")))
def test_silence_is_noticed_after_the_full_time_whatever_came_before(
    sequence: list[tuple[float, dict[str, str] | None]], left: dict[str, str]
) -> None:
    """Records that dead workers left behind do not change any more, and hold nobody back for longer than once the full time."""
    monitor, now = WorkerMonitor(AFTER, 0.0), 0.0
    for seconds, heartbeats in sequence:
        now += seconds
        monitor.interrupted(now) if heartbeats is None else monitor.observe(heartbeats, now)
    now = watch(monitor, left, now, AFTER + 1)
    assert monitor.none_alive(now)
    assert not monitor.any_alive(now)


@settings(deadline=None)
@given(st.floats(0, 1e6), st.integers(3, 9))
def test_a_worker_that_beats_three_times_in_the_full_time_is_never_called_dead(begin: float, beats_a_time: int) -> None:
    """At any phase of its heartbeats against our looks."""
    monitor = WorkerMonitor(AFTER, begin)
    for number in range(200):
        now = begin + number / 2
        monitor.observe({"a": str(int(now * beats_a_time / AFTER))}, now)
        assert not monitor.none_alive(now)
    assert monitor.any_alive(now)


def test_a_first_sight_is_no_proof_of_life() -> None:
    """A record may be all that is left of a worker, and one that registers and dies at once must not send the standby away."""
    monitor = WorkerMonitor(AFTER, 0.0)
    monitor.observe({"a": "1"}, 1.0)
    assert not monitor.any_alive(1.0)
    monitor.observe({"a": "1", "b": "1"}, 1.5)
    assert not monitor.any_alive(1.5)
    monitor.observe({"a": "1", "b": "2"}, 2.0)
    assert monitor.any_alive(2.0)


def test_a_worker_that_was_restarted_does_not_bring_the_standby_in() -> None:
    """It deregisters, its successor has another name and comes within the full time."""
    monitor = WorkerMonitor(AFTER, 0.0)
    monitor.observe({"a": "1"}, 0.5)
    now = watch(monitor, {}, 0.5, AFTER - 1)
    assert not monitor.none_alive(now)
    monitor.observe({"b": "1"}, now + 0.25)
    now = watch(monitor, {"b": "1"}, now + 0.25, AFTER - 1)
    assert not monitor.none_alive(now)


def test_a_clock_that_was_set_back_is_a_sign_of_life() -> None:
    """Values are compared for being other, never for being later: hosts' clocks say nothing."""
    monitor = WorkerMonitor(AFTER, 0.0)
    monitor.observe({"a": "2026-11-23T10:00:00Z"}, 1.0)
    now = watch(monitor, {"a": "2026-11-23T10:00:00Z"}, 1.0, 10)
    monitor.observe({"a": "2026-11-23T09:00:00Z"}, now)
    assert monitor.any_alive(now)
    assert not monitor.none_alive(now + 10)
