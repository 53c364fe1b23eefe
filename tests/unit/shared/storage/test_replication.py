"""What one process knows of a server's replicas, and when it asks."""

from __future__ import annotations

from typing import Any

import pytest
from redis.exceptions import NoPermissionError, ResponseError

from shared.storage.clients import WEB_TIMEOUTS
from shared.storage.replication import FRESH_SECONDS, ROLE, WAIT_MS, ReplicationBarrier

ALONE = [b"master", 7, []]
FOLLOWED = [b"master", 7, [[b"127.0.0.1", b"1", b"7"]]]


def test_a_server_without_replicas_is_asked_again_every_few_seconds() -> None:
    """A replica may be added while the process runs."""
    now = [0.0]
    barrier = ReplicationBarrier("barrier", clock=lambda: now[0])
    assert barrier.commands() == (ROLE,)
    assert barrier.confirm([ALONE]) is True
    assert barrier.commands() == ()
    assert barrier.commands(ask=True) == (ROLE,)
    now[0] += FRESH_SECONDS
    assert barrier.commands() == (ROLE,)


@pytest.mark.parametrize(
    ("answers", "confirmed"),
    [
        ([True, 1, FOLLOWED], True),
        ([True, 0, FOLLOWED], False),
        ([True, 0, ALONE], False),
        ([ResponseError("OOM"), 1, FOLLOWED], False),
        ([True, ResponseError("wait"), FOLLOWED], False),
        ([FOLLOWED], False),
        ([ALONE], True),
        ([], True),
    ],
)
def test_confirmed_is_what_a_replica_has_or_a_server_without_any(answers: list[Any], confirmed: bool) -> None:
    """The last replica's loss is no confirmation: this server may be the one that was cut off. Nor is a replica found afterwards."""
    barrier = ReplicationBarrier("barrier")
    barrier.confirm([FOLLOWED])
    assert barrier.confirm(answers) is confirmed


@pytest.mark.parametrize("role", [NoPermissionError("role"), [b"slave", b"127.0.0.1", 1, b"connected", 7], None])
def test_who_cannot_tell_its_replicas_has_none(role: Any) -> None:
    """A managed server may refuse the question; its provider answers for it."""
    barrier = ReplicationBarrier("barrier")
    assert barrier.confirm([role]) is True
    assert barrier.commands() == ()


def test_a_forgotten_server_is_asked_before_anything_is_sent() -> None:
    """The next connection may be to another one."""
    barrier = ReplicationBarrier("barrier")
    barrier.confirm([FOLLOWED])
    assert barrier.commands() == barrier.confirming
    barrier.reset()
    assert not barrier.known
    assert barrier.commands() == (ROLE,)


def test_the_wait_for_a_replica_is_shorter_than_the_patience_with_the_server() -> None:
    """Else a slow replica would look like a dead master."""
    assert WEB_TIMEOUTS["socket_timeout"] / 2 >= WAIT_MS / 1000
