"""The embedded server keeps what it acknowledged, is one per directory, and leaves nothing behind."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from shared.errors import ConfigurationError
from shared.storage.embedded import Server
from tests.support.server import EmbeddedServer
from tests.support.wait import wait_for


@pytest.fixture
def own() -> Iterator[EmbeddedServer]:
    """A server that this test may kill."""
    with EmbeddedServer() as running:
        yield running


def write(server: EmbeddedServer, count: int) -> None:
    with server.client() as client:
        for number in range(count):
            client.rpush("written", number)


def written(server: EmbeddedServer) -> list[int]:
    with server.client() as client:
        return [int(value) for value in client.lrange("written", 0, -1)]


def newest_aof(server: EmbeddedServer) -> Path:
    return next((server.directory / "redis" / "appendonlydir").glob("*.incr.aof"))


def test_what_was_acknowledged_survives_kill_9(own: EmbeddedServer) -> None:
    """Every acknowledged write is there after the server was killed and started again."""
    write(own, 500)
    own.kill9()
    own.start()
    assert written(own) == list(range(500))


def test_what_was_acknowledged_survives_a_stop(own: EmbeddedServer) -> None:
    """The same after an orderly end."""
    write(own, 50)
    own.stop()
    assert written(own.start()) == list(range(50))


def test_a_torn_tail_of_the_file_still_loads(own: EmbeddedServer) -> None:
    """A write cut in the middle by a power loss costs that write alone."""
    write(own, 100)
    own.kill9()
    with newest_aof(own).open("rb+") as file:
        file.truncate(file.seek(0, os.SEEK_END) - 7)
    assert written(own.start()) == list(range(99))


def test_only_this_user_can_open_the_socket(own: EmbeddedServer) -> None:
    """The directory is 0700, the socket 0600, and no port is open."""
    directory = own.directory / "redis"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / "redis.sock").stat().st_mode) == 0o600
    with Redis.from_url(own.url, protocol=2, decode_responses=True) as client:
        assert client.config_get("port") == {"port": "0"}


def test_it_refuses_writes_rather_than_evict(own: EmbeddedServer) -> None:
    """noeviction, each write the kernel's before its answer, and no snapshot beside the file."""
    with Redis.from_url(own.url, protocol=2, decode_responses=True) as client:
        found = client.config_get("maxmemory-policy", "appendonly", "appendfsync", "save")
    assert found == {"maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "no", "save": ""}


def test_a_second_server_on_the_same_directory_is_refused(own: EmbeddedServer) -> None:
    """Two servers on one file would destroy it; the message names the process that has it."""
    second = Server(own.directory / "redis", own.directory / "redis" / "redis.sock")
    with pytest.raises(ConfigurationError, match=str(os.getpid())):
        second.start()
    write(own, 1)


def test_a_server_left_behind_is_ended_before_the_next_one_starts(own: EmbeddedServer) -> None:
    """An orphan keeps its lock; the next owner ends it, waits, and finds all data."""
    write(own, 20)
    left_behind = own.pid
    server = own._server
    assert server._owner_lock is not None
    server._owner_lock.close()  # as if the owner had been killed where no death signal exists
    successor = Server(server.directory, server.socket)
    successor.start()
    try:
        assert wait_for(lambda: server.returncode() is not None, 5, "the orphan's end")
        assert successor.pid not in (None, left_behind)
        assert written(own) == list(range(20))
    finally:
        successor.stop()


def test_a_place_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """A link where the directory should be may lead anywhere."""
    (tmp_path / "real").mkdir()
    (tmp_path / "redis").symlink_to(tmp_path / "real")
    with pytest.raises(ConfigurationError, match="BOSS_DATA_DIR"):
        Server(tmp_path / "redis", tmp_path / "redis" / "redis.sock").start()


def test_a_place_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """A file is in the way: one message that names the setting."""
    (tmp_path / "data").touch()
    with pytest.raises(ConfigurationError, match="BOSS_DATA_DIR"):
        Server(tmp_path / "data" / "redis", tmp_path / "data" / "redis" / "redis.sock").start()


def test_a_path_with_spaces_and_quotes_works(tmp_path: Path) -> None:
    """The configuration quotes what it is given."""
    directory = tmp_path / 'a "b" c'
    server = Server(directory, directory / "s.sock")
    server.start()
    try:
        assert server.other_clients() == 0
        with Redis(unix_socket_path=str(server.socket)) as client:
            client.ping()
            assert server.other_clients() == 1
    finally:
        server.stop()
    assert server.pid is None


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(own: EmbeddedServer) -> None:
    """It lives in a session of its own, so that its owner can end it last."""
    assert os.getsid(own.pid) != os.getsid(0)
    assert os.getpgid(own.pid) != os.getpgid(0)
