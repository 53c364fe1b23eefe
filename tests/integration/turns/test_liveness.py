"""A worker process's signs of life, by real processes: killed, frozen, started again; and a loop that hangs while its thread lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest
from redis import Redis

from shared.mailbox import Mailbox, calls
from supervisor_worker.turns import liveness
from supervisor_worker.turns.liveness import Liveness, has_ended, own_name, place
from tests.support.mailbox_workers import received
from tests.support.wait import wait_for

LIFE = 2.0
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="without /proc a process has no place")
CHILD = """
import sys, time
from supervisor_worker.turns.liveness import Liveness
with Liveness(sys.argv[1], float(sys.argv[2])) as own:
    print(own.name, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def mailbox(redis: Redis) -> Mailbox:
    return Mailbox(redis)


@pytest.fixture
def child(redis_url: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that gives signs of life; its name is the first line that it says."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, redis_url, str(LIFE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process
    process.send_signal(signal.SIGCONT)
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        pipe.close()


def name_of(child: subprocess.Popen[str]) -> str:
    """What the process is called, once it has given a sign."""
    assert child.stdout is not None
    return child.stdout.readline().strip()


def known(redis: Redis) -> set[str]:
    """The processes that have given signs."""
    return {name.decode() for name in cast("list[bytes]", redis.hkeys("boss:processes"))}


def hold(mailbox: Mailbox, process: str, conv: str = "c-1") -> None:
    """A turn of that process."""
    message = f"m-{conv}"
    mailbox.run(calls.accept(received(message, "text"), kind="text", conversation=conv, sender="s", pair="p"))
    call = calls.claim(conv, f"k-{conv}", f"t-{conv}", lease_ms=60_000, process=process, life_ms=int(LIFE * 1000))
    assert mailbox.run(call).outcome == "taken"


def is_due(redis: Redis, conv: str = "c-1") -> bool:
    """Whether somebody is to look at once."""
    seconds, micros = cast("Any", redis.time())
    score = redis.zscore("boss:due", conv)
    return score is not None and score <= seconds * 1000 + micros // 1000


@LINUX
def test_what_a_killed_process_held_is_given_up_by_the_others_of_its_host_at_once(
    redis: Redis, redis_url: str, mailbox: Mailbox, child: subprocess.Popen[str]
) -> None:
    """Long before its signs end, and also when it has not been reaped: nobody waits for a zombie."""
    name = name_of(child)
    wait_for(lambda: name in known(redis), 5, "its first sign")
    hold(mailbox, name)
    with Liveness(redis_url, LIFE):
        child.kill()
        began = time.monotonic()
        wait_for(lambda: is_due(redis), 5, "its conversation to be due")
    assert time.monotonic() - began < LIFE
    assert redis.hget("boss:conv:c-1", "holder") == b"ended"


@LINUX
def test_a_starting_worker_gives_up_what_its_predecessor_held_and_nobody_else_s(
    redis: Redis, redis_url: str, mailbox: Mailbox, child: subprocess.Popen[str]
) -> None:
    """By its first sign: its own host's dead are known to it, another place's are not, and a frozen process is not dead."""
    living = name_of(child)
    wait_for(lambda: living in known(redis), 5, "its first sign")
    child.send_signal(signal.SIGSTOP)
    gone, elsewhere = f"{place()}{os.getpid()}-1", "w-0123456789abcdef-1-1"
    for number, process in enumerate((gone, elsewhere, living), 1):
        mailbox.run(calls.heartbeat(process, life_ms=60_000))
        hold(mailbox, process, f"c-{number}")
    with Liveness(redis_url, LIFE):
        wait_for(lambda: is_due(redis, "c-1"), 5, "the dead one's conversation to be due")
    assert [is_due(redis, f"c-{number}") for number in (1, 2, 3)] == [True, False, False]


def test_a_process_that_ends_gives_up_what_it_still_holds(redis: Redis, redis_url: str, mailbox: Mailbox) -> None:
    """And leaves no record."""
    with Liveness(redis_url, LIFE) as own:
        wait_for(lambda: own.name in known(redis), 5, "the first sign")
        hold(mailbox, own.name)
    assert is_due(redis)
    assert known(redis) == set()


def test_a_frozen_process_gives_no_signs_and_gives_them_again_when_it_goes_on(redis: Redis, child: subprocess.Popen[str]) -> None:
    """Its thread stands still with it."""
    name = name_of(child)
    wait_for(lambda: name in known(redis), 5, "its first sign")
    child.send_signal(signal.SIGSTOP)
    before = redis.hget("boss:processes", name)
    time.sleep(LIFE)  # the silence itself
    assert redis.hget("boss:processes", name) == before
    child.send_signal(signal.SIGCONT)
    wait_for(lambda: redis.hget("boss:processes", name) != before, 5, "its next sign")


def test_the_signs_go_on_while_the_main_thread_is_busy(redis: Redis, redis_url: str) -> None:
    """A blocked loop is not a dead process."""
    with Liveness(redis_url, LIFE) as own:
        wait_for(lambda: own.name in known(redis), 5, "the first sign")
        before = redis.hget("boss:processes", own.name)
        until = time.monotonic() + LIFE
        while time.monotonic() < until:
            sum(range(10_000))
        assert redis.hget("boss:processes", own.name) != before


def test_the_signs_come_back_with_the_server(redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a sign is answered, the next one is given."""
    run, answers = Mailbox.run, iter([ConnectionError("away"), ValueError("odd"), *[None] * 1000])

    def sometimes(self: Mailbox, call: Any) -> Any:
        error = next(answers)
        if error is not None:
            raise error
        return run(self, call)

    monkeypatch.setattr(Mailbox, "run", sometimes)
    with Liveness(redis_url, LIFE) as own:
        wait_for(lambda: own.name in known(redis), 5, "a sign after the errors")


@LINUX
def test_a_process_is_known_by_its_place_its_id_and_when_it_started() -> None:
    """Ids are used again, and mean nothing in another place."""
    where = place()
    name = own_name(where)
    assert name.startswith(where)
    pid, _, started = name.removeprefix(where).partition("-")
    assert (pid, has_ended(f"{pid}-{started}")) == (str(os.getpid()), False)
    assert has_ended(f"{pid}-{int(started) + 1}")
    assert has_ended("4194304-1")
    assert not has_ended("1-what")
    assert not has_ended("")


def test_where_there_is_no_proc_nobody_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name without a place is nobody's neighbour; one whose record may not be read runs."""
    assert own_name("") != own_name("")
    assert own_name("").startswith("w--")
    monkeypatch.setattr(liveness, "_stat", lambda _pid: None)
    assert not has_ended(f"{os.getpid()}-1")
