"""The spool of a real web process: killed, ended, started without Redis, and under a stream of texts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.processes import WebProcess
from tests.support.server import EmbeddedServer
from tests.support.texters import BOSS, ids, inbox, phone, ready, text, users
from tests.support.wait import wait_for

PEOPLE = 8


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    """A server that the test may hurt."""
    with EmbeddedServer() as running:
        yield running


@pytest.fixture
def web(server: EmbeddedServer, tmp_path: Path) -> Iterator[WebProcess]:
    """A web process with a few users, not started yet."""
    (tmp_path / "users.toml").write_text(users(PEOPLE))
    settings = {"REDIS_URL": server.url, "BOSS_DATA_DIR": str(tmp_path / "data"), "BOSS_USERS_FILE": str(tmp_path / "users.toml")}
    process = WebProcess({**settings, "SANDBOX": "on", "SMS_SETTLE_SECONDS": "0"})
    try:
        yield process
    finally:
        process.close()


def test_killed_with_entries_waiting_it_replays_them_at_the_next_start(server: EmbeddedServer, web: WebProcess) -> None:
    """Kill -9, twice, while Redis is away; what comes between the lives keeps its place behind what came before."""
    web.start()
    assert text(web, 0, 0) == 200
    server.stop()
    for number in (1, 2):
        assert text(web, 0, number) == 200
    web.kill9()
    web.start()
    assert ready(web)["spool"]["depth"] == 2
    for number in (3, 4):
        assert text(web, 0, number) == 200
    web.kill9()
    server.start()
    web.start()
    assert text(web, 0, 5) == 200
    wait_for(lambda: ready(web)["status"] == "ok", 10, "an empty spool")
    with server.client() as redis:
        assert inbox(redis, 0) == ids(0, 6)


def test_sigterm_ends_it_in_its_grace_and_what_waits_goes_on_waiting(server: EmbeddedServer, web: WebProcess) -> None:
    """Redis hangs, a text is under way and others wait: it ends at once, and the next start has them all."""
    web.start()
    assert text(web, 0, 0) == 200
    server.freeze()
    try:
        assert text(web, 0, 1) == 200
        assert text(web, 0, 2) == 200
        start = time.monotonic()
        assert web.terminate() == 0
        assert time.monotonic() - start < 4
    finally:
        server.thaw()
    web.start()
    wait_for(lambda: ready(web)["status"] == "ok", 10, "an empty spool")
    with server.client() as redis:
        assert inbox(redis, 0) == ids(0, 3)


def test_a_stream_of_texts_flows_through_an_outage(server: EmbeddedServer, web: WebProcess) -> None:
    """Eight people write without a pause while Redis is killed, started, frozen and thawed: all answered, in order, each once."""
    web.start()
    stop = time.monotonic() + 30
    done: list[bool] = []
    slowest: list[float] = []

    def write(person: int) -> int:
        number = 0
        while not done and time.monotonic() < stop:
            began = time.monotonic()
            assert text(web, person, number) == 200
            slowest.append(time.monotonic() - began)
            number += 1
        return number

    with ThreadPoolExecutor(PEOPLE) as pool:
        writers = [pool.submit(write, person) for person in range(PEOPLE)]
        wait_for(lambda: len(slowest) > 100, 10, "texts before")
        for _ in range(2):
            server.kill9()
            wait_for(lambda: ready(web)["spool"]["depth"] > 20, 10, "texts on disk")
            server.start()
            wait_for(lambda: ready(web)["status"] == "ok", 15, "an empty spool under a stream of texts")
        server.freeze()
        wait_for(lambda: ready(web)["spool"]["depth"] > 20, 10, "texts on disk")
        server.thaw()
        wait_for(lambda: ready(web)["status"] == "ok", 15, "an empty spool under a stream of texts")
        done.append(True)
        counts = [writer.result(10) for writer in writers]
    wait_for(lambda: ready(web)["status"] == "ok", 15, "an empty spool")
    with server.client() as redis:
        for person, count in enumerate(counts):
            assert inbox(redis, person) == ids(person, count)
    assert max(slowest) < 4
    assert web.output.count("spool_empty") >= 3


def test_nothing_of_what_waits_is_printed(server: EmbeddedServer, web: WebProcess) -> None:
    """The log names no number and no word of a text, in trouble neither."""
    web.start()
    server.stop()
    assert text(web, 0, 0) == 200
    wait_for(lambda: "spooling" in web.output, 5, "the line in the log")
    server.start()
    wait_for(lambda: "spool_empty" in web.output, 10, "the line in the log")
    assert not [word for word in ("text 0", phone(0)[1:], BOSS[1:]) if word in web.output]
