"""Who may connect: how many at once, from which web pages, and under which names of the bridge."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.protocol.codes import Close
from bridge.server.connection_limits import ConnectionLimiter, hosts, origins
from shared.config.loading import load_settings

SETTINGS = {"sandbox": "on"}
REMOTE = {"bridge_allow_remote": "true"}


class Connection:
    """A connection that remembers being turned away."""

    def __init__(self) -> None:
        self.turned_away: list[Close] = []

    def close_nowait(self, code: Close, reason: str) -> None:
        """Note it."""
        del reason
        self.turned_away.append(code)


def test_the_oldest_that_waits_makes_room() -> None:
    """Who is inside does not count as waiting, and who left does not count at all."""
    limiter: ConnectionLimiter[Connection] = ConnectionLimiter(max_unauthenticated=2, max_authenticated=1)
    inside, gone, first, second, third = (Connection() for _ in range(5))
    for guest in (inside, gone):
        limiter.add(guest)
    assert limiter.add_authenticated(inside)
    limiter.remove(gone)
    for guest in (first, second, third):
        limiter.add(guest)
    assert [guest.turned_away for guest in (inside, gone, first, second, third)] == [[], [], [Close.OVERLOADED], [], []]
    assert limiter.unauthenticated() == (second, third)


def test_the_house_is_full_until_somebody_leaves() -> None:
    """Who authenticates again is inside already."""
    limiter: ConnectionLimiter[Connection] = ConnectionLimiter(max_unauthenticated=9, max_authenticated=1)
    first, second = Connection(), Connection()
    limiter.add(first)
    limiter.add(second)
    assert [limiter.add_authenticated(first), limiter.add_authenticated(second), limiter.add_authenticated(first)] == [True, False, True]
    limiter.remove(first)
    assert limiter.add_authenticated(second)


@pytest.mark.parametrize(
    ("settings", "port", "named", "strange"),
    [
        ({}, 9999, {"127.0.0.1:9999", "localhost:9999", "[::1]:9999"}, {"127.0.0.1", "localhost", "0.0.0.0:9999"}),
        ({}, 80, {"127.0.0.1", "localhost:80"}, {"127.0.0.1:9999"}),
        ({"supervisor_url": "wss://Boss.example.com"}, 9999, {"boss.example.com", "boss.example.com:443"}, {"boss.example.com:80"}),
        ({"supervisor_url": "ws://boss.example.com:8000/x", **REMOTE}, 9999, {"boss.example.com:8000"}, {"boss.example.com"}),
        ({"supervisor_host": "::1"}, 9999, {"[::1]:9999"}, {"::1:9999"}),
        ({"supervisor_host": "10.0.0.1", "bridge_allow_remote": True}, 9999, {"10.0.0.1:9999"}, {"10.0.0.2:9999"}),
    ],
)  # fmt: skip
def test_the_names_of_the_bridge(settings: dict[str, Any], port: int, named: set[str], strange: set[str]) -> None:
    """With its port, which may be left out only where it is the scheme's own."""
    found = hosts(load_settings(**SETTINGS, **settings), port)
    assert named <= found
    assert not strange & found
    assert "" not in found


def test_origins_are_named_one_by_one() -> None:
    """Blanks and a slash at the end do not matter; `null` names nobody."""
    assert origins(load_settings(**SETTINGS)) == ()
    assert origins(load_settings(**SETTINGS, bridge_origins=" https://A.example/, ,null,http://b.example:1 ")) == (
        "https://a.example",
        "http://b.example:1",
    )
