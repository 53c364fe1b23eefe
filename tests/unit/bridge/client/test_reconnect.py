"""When the client comes back after a lost connection, and when it must not."""

from __future__ import annotations

from bridge.client.reconnect import STABLE_SECONDS, ConnectionEnd, ReconnectPolicy
from bridge.protocol.codes import Close

SHORTEST, LONGEST = min, max
"""The ends of what is drawn at random: a wait cut to its half, and a whole one."""


def test_waits_double_up_to_half_a_minute() -> None:
    """1, 2, 4, 8, 16, 30, 30 without jitter; with all of it, half of that."""
    for uniform, part in ((LONGEST, 1.0), (SHORTEST, 0.5)):
        reconnection = ReconnectPolicy(uniform=uniform)
        assert [reconnection.wait(ConnectionEnd()) for _ in range(7)] == [part * seconds for seconds in (1, 2, 4, 8, 16, 30, 30)]


def test_a_connection_that_stood_begins_anew() -> None:
    """One that broke at once does not: whoever takes us and drops us is met with growing waits too."""
    reconnection = ReconnectPolicy(uniform=LONGEST)
    assert [reconnection.wait(ConnectionEnd(seconds_open=0.1)) for _ in range(3)] == [1, 2, 4]
    assert reconnection.wait(ConnectionEnd(1001, seconds_open=STABLE_SECONDS)) == 1


def test_a_restart_is_answered_at_once_but_not_in_a_circle() -> None:
    """1012: no wait. A bridge that says only that gets growing ones."""
    reconnection = ReconnectPolicy(uniform=LONGEST)
    assert [reconnection.wait(ConnectionEnd(Close.RESTART, seconds_open=0.1)) for _ in range(4)] == [0, 1, 2, 4]
    assert reconnection.wait(ConnectionEnd(Close.RESTART, seconds_open=60)) == 0


def test_an_overloaded_bridge_is_left_alone_for_longer() -> None:
    """1013: four times the wait, up to two minutes."""
    reconnection = ReconnectPolicy(uniform=LONGEST)
    assert [reconnection.wait(ConnectionEnd(Close.OVERLOADED, seconds_open=0.1)) for _ in range(7)] == [4, 8, 16, 32, 64, 120, 120]


def test_a_policy_close_ends_it() -> None:
    """1008 after authentication: at once. Before it: the second in a row, for one may come of a machine that stood still."""
    assert ReconnectPolicy().wait(ConnectionEnd(Close.POLICY, seconds_open=0.1)) is None
    reconnection = ReconnectPolicy(uniform=LONGEST)
    assert [reconnection.wait(ConnectionEnd(code)) for code in (Close.POLICY, None, Close.POLICY, Close.POLICY)] == [1, 2, 4, None]


def test_there_is_no_last_attempt() -> None:
    """After ten thousand failures the wait is still half a minute."""
    reconnection = ReconnectPolicy(uniform=LONGEST)
    assert [reconnection.wait(ConnectionEnd()) for _ in range(10_000)][-1] == 30
