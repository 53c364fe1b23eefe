"""The embedded server's files reach the disk once a second, by the process that owns the server; a disk that fails is no secret."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.storage import append_only_file, embedded
from tests.support.wait import wait_for

REAL_SYNC = os.fsync


class Disk:
    """What was synced, by inode and the size that it had; a disk that fails raises."""

    def __init__(self) -> None:
        """A good one."""
        self.synced: list[tuple[int, int]] = []
        self.fails = False

    def sync(self, file: int) -> None:
        """As os.fsync."""
        if self.fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        seen = os.fstat(file)
        REAL_SYNC(file)
        self.synced.append((seen.st_ino, seen.st_size))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """The one under this process."""
    made = Disk()
    monkeypatch.setattr(os, "fsync", made.sync)
    return made


@contextmanager
def served(place: Path, said: list[str]) -> Iterator[embedded.Server]:
    """A server as `boss redis` runs it."""
    server = embedded.Server(place / "redis", place / "redis" / "redis.sock", 256)
    server.start()
    over = threading.Event()
    thread = threading.Thread(target=embedded.serve, args=(server, over.is_set, 0, said.append))
    thread.start()
    try:
        yield server
    finally:
        over.set()
        thread.join(20)
        server.stop()


def test_what_was_written_is_on_the_disk_a_second_later(tmp_path: Path, disk: Disk) -> None:
    """The file that is written now, and again when it has grown; not again when it has not."""
    with served(tmp_path, []) as server, embedded._client(server.socket) as client:
        (newest,) = (server.directory / append_only_file.DIRECTORY).glob("*.incr.aof")

        def all_of_it() -> tuple[int, int] | None:
            seen = newest.stat()
            pair = (seen.st_ino, seen.st_size)
            return pair if pair in disk.synced else None

        for word in ("one", "two"):
            client.set("key", word)
            last = wait_for(all_of_it, 5, "a sync of all that the file holds")
        known = {inode for inode, _ in disk.synced}
        client.bgrewriteaof()
        wait_for(lambda: {inode for inode, _ in disk.synced} - known, 10, "a sync of the files that took its place")
        assert disk.synced.count(last) == 1


def test_a_disk_that_fails_once_is_the_server_s_own_to_judge(tmp_path: Path, disk: Disk) -> None:
    """It refuses writes while its sync fails, shows it in INFO, and the operator is told."""
    said: list[str] = []
    with served(tmp_path, said) as server, embedded._client(server.socket) as client:
        assert client.config_get("appendfsync") == {"appendfsync": "no"}
        disk.fails = True
        client.set("key", "value")
        wait_for(lambda: said, 10, "a word about the disk")
        assert client.config_get("appendfsync") == {"appendfsync": "everysec"}
        assert said == [f"redis: the disk fails ({os.strerror(errno.EIO)}); while it does, the server refuses writes and says so"]


def test_a_server_that_does_not_answer_is_told_of_its_disk_later(tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told again each second until it answers."""
    real, asked = embedded.Server.sync_itself, []

    def late(server: embedded.Server) -> bool:
        asked.append(1)
        return len(asked) > 2 and real(server)

    monkeypatch.setattr(embedded.Server, "sync_itself", late)
    said: list[str] = []
    with served(tmp_path, said) as server, embedded._client(server.socket) as client:
        disk.fails = True
        client.set("key", "value")
        wait_for(lambda: said, 10, "a word about the disk")
        assert client.config_get("appendfsync") == {"appendfsync": "everysec"}
    assert len(asked) == 3
