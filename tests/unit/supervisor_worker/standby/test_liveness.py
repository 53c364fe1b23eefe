"""Who lives, by any sequence of looks: never too soon, never too late."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor_worker.standby.liveness import BLIND_SHARE, Watcher

AFTER = 15.0
STEP = AFTER * BLIND_SHARE

looks = st.lists(
    st.tuples(
        st.floats(0.01, 2 * STEP),
        st.one_of(st.none(), st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(0, 2).map(str), max_size=3)),
    ),
    max_size=40,
)
"""Seconds since the look before, and the heartbeats, or None for a Redis that is away."""


def watch(watcher: Watcher, beats: dict[str, str], begin: float, seconds: float) -> float:
    """Look twice a second; the time of the last look."""
    steps = int(seconds * 2)
    for number in range(1, steps + 1):
        watcher.see(beats, begin + number / 2)
    return begin + steps / 2


@settings(deadline=None)
@given(looks)
def test_nobody_is_called_dead_before_the_full_time_was_watched_without_a_sign(sequence: list[tuple[float, dict[str, str] | None]]) -> None:
    """Whatever comes: a changed heartbeat, an outage and a pause in our own looking all begin the full time anew."""
    watcher, now, begun, known = Watcher(AFTER, 0.0), 0.0, 0.0, dict[str, str]()
    for seconds, beats in sequence:
        now += seconds
        if beats is None:
            watcher.blind(now)
            begun = now
        else:
            watcher.see(beats, now)
            if seconds > STEP or any(known.get(name) != beat for name, beat in beats.items()):
                begun = now
            known = beats
        assert watcher.alone(now) == (now - begun >= AFTER)


@settings(deadline=None)
@given(looks, st.dictionaries(st.sampled_from(["a", "b"]), st.just("old")))
def test_silence_is_noticed_after_the_full_time_whatever_came_before(
    sequence: list[tuple[float, dict[str, str] | None]], left: dict[str, str]
) -> None:
    """Records that dead workers left behind do not change any more, and hold nobody back for longer than once the full time."""
    watcher, now = Watcher(AFTER, 0.0), 0.0
    for seconds, beats in sequence:
        now += seconds
        watcher.blind(now) if beats is None else watcher.see(beats, now)
    now = watch(watcher, left, now, AFTER + 1)
    assert watcher.alone(now)
    assert not watcher.regular_lives(now)


@settings(deadline=None)
@given(st.floats(0, 1e6), st.integers(3, 9))
def test_a_worker_that_beats_three_times_in_the_full_time_is_never_called_dead(begin: float, beats_a_time: int) -> None:
    """At any phase of its heartbeats against our looks."""
    watcher = Watcher(AFTER, begin)
    for number in range(200):
        now = begin + number / 2
        watcher.see({"a": str(int(now * beats_a_time / AFTER))}, now)
        assert not watcher.alone(now)
    assert watcher.regular_lives(now)


def test_a_first_sight_is_no_proof_of_life() -> None:
    """A record may be all that is left of a worker, and one that registers and dies at once must not send the standby away."""
    watcher = Watcher(AFTER, 0.0)
    watcher.see({"a": "1"}, 1.0)
    assert not watcher.regular_lives(1.0)
    watcher.see({"a": "1", "b": "1"}, 1.5)
    assert not watcher.regular_lives(1.5)
    watcher.see({"a": "1", "b": "2"}, 2.0)
    assert watcher.regular_lives(2.0)


def test_a_worker_that_was_restarted_does_not_bring_the_standby_in() -> None:
    """It deregisters, its successor has another name and comes within the full time."""
    watcher = Watcher(AFTER, 0.0)
    watcher.see({"a": "1"}, 0.5)
    now = watch(watcher, {}, 0.5, AFTER - 1)
    assert not watcher.alone(now)
    watcher.see({"b": "1"}, now + 0.25)
    now = watch(watcher, {"b": "1"}, now + 0.25, AFTER - 1)
    assert not watcher.alone(now)


def test_a_clock_that_was_set_back_is_a_sign_of_life() -> None:
    """Values are compared for being other, never for being later: hosts' clocks say nothing."""
    watcher = Watcher(AFTER, 0.0)
    watcher.see({"a": "2026-11-23T10:00:00Z"}, 1.0)
    now = watch(watcher, {"a": "2026-11-23T10:00:00Z"}, 1.0, 10)
    watcher.see({"a": "2026-11-23T09:00:00Z"}, now)
    assert watcher.regular_lives(now)
    assert not watcher.alone(now + 10)
