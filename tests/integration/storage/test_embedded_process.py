"""`boss redis` as a process: others wait for it, it ends last, and a kill leaves nothing in the way."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from shared.errors import StorageUnavailable
from shared.runtime import socket_path
from shared.storage import clients
from tests.support.processes import BossProcess
from tests.support.wait import wait_for


@pytest.fixture
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A data directory of the test's own."""
    return {"BOSS_DATA_DIR": str(tmp_path_factory.mktemp("d")), "SHUTDOWN_GRACE_SECONDS": "3"}


@pytest.fixture
def process(settings: dict[str, str]) -> Iterator[BossProcess]:
    """`boss redis`, up."""
    with BossProcess("redis", settings=settings) as running:
        running.wait_for_output("embedded server is up")
        yield running


def url(settings: dict[str, str]) -> str:
    return f"unix://{settings['BOSS_DATA_DIR']}/redis/redis.sock"


def client(settings: dict[str, str]) -> Redis:
    return Redis.from_url(url(settings), protocol=2, decode_responses=True)


def server_pid(settings: dict[str, str]) -> int:
    with client(settings) as one:
        return int(one.info("server")["process_id"])


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_with_redis_url_it_stands_aside(settings: dict[str, str]) -> None:
    """It says one line, starts nothing, and ends with status 0 when it is told to."""
    with BossProcess("redis", settings={**settings, "REDIS_URL": "redis://127.0.0.1:1/0"}) as aside:
        output = aside.wait_for_output("stands aside")
        assert len(output.splitlines()) == 1
        assert aside.returncode is None
        assert aside.terminate() == 0
    assert not list(Path(settings["BOSS_DATA_DIR"]).iterdir())


def test_it_serves_until_its_last_client_has_left(process: BossProcess, settings: dict[str, str]) -> None:
    """Told to end together with the others, it takes their last writes first."""
    with client(settings) as worker:
        worker.ping()
        process.signal(signal.SIGTERM)
        told = time.monotonic()
        wait_for(lambda: worker.incr("written") and time.monotonic() - told > 1, 5, "a second of writes")
        assert process.returncode is None
        last = int(str(worker.get("written")))
    left = time.monotonic()
    assert process.wait(5) == 0
    assert time.monotonic() - left < 1.5, "it does not wait longer than it must"
    with BossProcess("redis", settings=settings) as again:
        again.wait_for_output("embedded server is up")
        with client(settings) as reader:
            assert int(str(reader.get("written"))) == last


def test_a_client_that_stays_does_not_hold_it_up_for_ever(process: BossProcess, settings: dict[str, str]) -> None:
    """It ends within the grace of the others and a little more, before honcho kills it."""
    with client(settings) as stays:
        stays.ping()
        told = time.monotonic()
        assert process.terminate(10) == 0
        assert 3 <= time.monotonic() - told < 4.7


def test_a_kill_leaves_no_server_behind(process: BossProcess, settings: dict[str, str]) -> None:
    """The server ends with its owner, with what it acknowledged on disk, and the next start is at once."""
    pid = server_pid(settings)
    with client(settings) as writer:
        writer.set("kept", "yes")
    process.kill9()
    wait_for(lambda: gone(pid), 10, "the server's end")
    with BossProcess("redis", settings=settings) as again:
        again.wait_for_output("embedded server is up")
        with client(settings) as reader:
            assert reader.get("kept") == "yes"


def test_a_start_right_after_a_kill_waits_for_the_old_server(process: BossProcess, settings: dict[str, str]) -> None:
    """No moment between the two at which both have the file."""
    with client(settings) as writer:
        for number in range(100):
            writer.rpush("kept", number)
    process.kill9()
    process.start()
    wait_for(lambda: process.output.count("embedded server is up") == 2, 15, "the second start")
    with client(settings) as reader:
        assert reader.llen("kept") == 100


def test_a_server_that_dies_is_reported(process: BossProcess, settings: dict[str, str]) -> None:
    """Its owner ends too, with a message, so that honcho ends everything visibly."""
    os.kill(server_pid(settings), signal.SIGKILL)
    assert process.wait(5) == 2
    assert "ended by itself" in process.output
    assert "Traceback" not in process.output


def test_a_second_one_is_refused_with_the_owner_named(process: BossProcess, settings: dict[str, str]) -> None:
    """Exit status 2, one message, and the first goes on."""
    with BossProcess("redis", settings=settings) as second:
        assert second.wait(10) == 2
        assert f"process {process.pid} already serves" in second.output
        assert "Traceback" not in second.output
    with client(settings) as first:
        assert first.ping()


def test_a_server_that_comes_late_is_waited_for(settings: dict[str, str]) -> None:
    """Who starts first says once that it waits, and goes on when the server is there."""
    said: list[str] = []
    with BossProcess("redis", settings=settings):
        clients.wait_until_up(url(settings), 20, said.append)
    assert len(said) <= 1


def test_waiting_has_a_limit_and_a_clear_message(settings: dict[str, str]) -> None:
    """After the limit, what to look at is named."""
    said: list[str] = []
    with pytest.raises(StorageUnavailable, match="is `boss redis` running, is REDIS_URL right"):
        clients.wait_until_up(url(settings), 0.2, said.append)
    assert said == ["waiting up to 0.2 s for Redis"]


def test_a_path_too_long_for_a_socket_still_works(tmp_path: Path) -> None:
    """The socket moves to a private directory under the temporary one."""
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    with BossProcess("redis", settings={"BOSS_DATA_DIR": str(deep)}) as running:
        running.wait_for_output("embedded server is up")
        socket = socket_path(deep)
        assert len(str(socket)) < 100
        assert socket.parent.stat().st_mode & 0o077 == 0
        with Redis(unix_socket_path=str(socket)) as one:
            assert one.ping()
    with pytest.raises((RedisError, OSError)), Redis(unix_socket_path=str(socket)) as one:
        wait_for(lambda: not one.ping(), 10, "the server's end")
    shutil.rmtree(socket.parent)
