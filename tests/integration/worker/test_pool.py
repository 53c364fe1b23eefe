"""`boss worker --processes N`: one command, several workers; real processes, a real server."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any, cast

import pytest
from redis import Redis

from tests.support.processes import BossProcess
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment, users_file
from tests.support.wait import wait_for


class PoolProcess(BossProcess):
    """The command, and who works for it."""

    def __init__(self, settings: dict[str, str], redis: Redis, count: int = 2) -> None:
        super().__init__("worker", "--processes", str(count), settings=settings)
        self._redis = redis

    def workers(self) -> set[int]:
        """The process ids of the registered workers."""
        keys = cast("set[bytes]", self._redis.smembers("rq:workers"))
        return {int(pid) for key in keys if (pid := cast("Any", self._redis.hget(key.decode(), "pid")))}

    def both(self) -> set[int]:
        """Wait until two live workers are registered."""
        return wait_for(lambda: found if len(found := {pid for pid in self.workers() if alive(pid)}) == 2 else None, 30, "two workers")


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:  # noqa: PTH123
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def pool(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[PoolProcess]:
    """Two workers."""
    settings = {
        "REDIS_URL": redis_url,
        "BOSS_USERS_FILE": users_file(),
        "SANDBOX": "on",
        "SANDBOX_PORT": str(sandbox.port),
        "LEASE_SECONDS": "3",
        "SEND_TIMEOUT_SECONDS": "2",
    }
    with PoolProcess(settings, redis) as running:
        running.both()
        yield running


def test_two_processes_work_and_end_together(pool: PoolProcess, redis: Redis, redis_url: str, sandbox: SandboxProcess) -> None:
    """Both answer, both are registered under names of their own, and SIGTERM ends the whole with status 0 and no record left."""
    environment = TurnEnvironment(redis, redis_url, sandbox)
    sandbox.faults(twilio={"status_callbacks": False})
    workers = pool.both()
    assert pool.pid not in workers
    events = [environment.text("hello", f"+1555123{number:04}") for number in range(20)]
    wait_for(lambda: all(environment.state(event) == "answered" for event in events), 20, "twenty answers")
    assert pool.terminate(8) == 0
    assert not redis.smembers("rq:workers")
    assert not any(alive(pid) for pid in workers)


def test_a_worker_that_dies_is_replaced_while_the_other_works_on(pool: PoolProcess) -> None:
    """Kill -9 of one: the other stays the same process, and a third takes the place."""
    killed, other = sorted(pool.both())
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: not alive(killed), 5, "the death")
    assert other in pool.both()
    assert pool.returncode is None
    assert "another starts" in pool.output


def test_the_workers_end_with_their_parent(pool: PoolProcess) -> None:
    """Kill -9 of the parent alone leaves no worker behind: each ends as if it had been told to."""
    workers = pool.both()
    os.kill(pool.pid, signal.SIGKILL)
    wait_for(lambda: not any(alive(pid) for pid in workers), 10, "the workers' end")


def test_a_pool_that_may_not_start_says_so_once_and_ends(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> None:
    """The status of a single worker, for who starts it again."""
    redis.set("boss:schema", 999)
    settings = {"REDIS_URL": redis_url, "SANDBOX": "on", "SANDBOX_PORT": str(sandbox.port)}
    try:
        with PoolProcess(settings, redis) as refused:
            assert refused.wait(20) == 2
            assert "run the newer version" in refused.output
    finally:
        redis.delete("boss:schema")
