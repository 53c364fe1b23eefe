"""A damaged append-only file ends nobody: `boss redis` stays under honcho, and `boss redis --repair` cuts it and says what was lost."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from boss.commands.redis import keep, repair
from shared.errors import ConfigurationError
from shared.storage import append_only_file
from shared.storage.embedded import CannotLoad, Server, scratch, snapshot_good
from tests.support.processes import BossProcess
from tests.support.server import EmbeddedServer
from tests.support.wait import wait_for

COUNT = 300
Change = Callable[[bytes, int], bytes]
"""The file's bytes, and where in the middle of it a transaction begins."""


def zeros(data: bytes, at: int) -> bytes:
    """A block that the disk has lost."""
    return data[: at + 40] + bytes(64) + data[at + 104 :]


def hole(data: bytes, at: int) -> bytes:
    """Bytes that are missing."""
    return data[: at + 21] + data[at + 33 :]


def unknown(data: bytes, at: int) -> bytes:
    """A letter of a command's name."""
    place = data.index(b"RPUSH", at)
    return data[:place] + b"RPUSX" + data[place + 5 :]


def fewer(data: bytes, at: int) -> bytes:
    """A command with too few arguments."""
    return data[:at] + b"*1\r\n$5\r\nRPUSH\r\n" + data[at:]


def endless(data: bytes, at: int) -> bytes:
    """A length that no memory holds."""
    return data[:at] + b"*3\r\n$5\r\nRPUSH\r\n$1\r\nw\r\n$99999999999\r\n" + data[at:]


def begins_late(data: bytes, at: int) -> bytes:
    """The file's own beginning."""
    del at
    return data[3:]


@pytest.fixture
def own() -> Iterator[EmbeddedServer]:
    """A server that wrote transactions as our scripts do, and was stopped; each number is in both lists or in neither."""
    with EmbeddedServer() as running:
        with running.client() as client:
            both = client.register_script(
                "redis.call('RPUSH','a',ARGV[1]) redis.call('RPUSH','b',ARGV[1]) redis.call('XADD','l','*','n',ARGV[1])"
            )
            for number in range(COUNT):
                both(args=[number])
        running.stop()
        yield running


def server_of(own: EmbeddedServer) -> Server:
    return own._server


def newest(own: EmbeddedServer) -> Path:
    return append_only_file.parts(own.directory / "redis" / append_only_file.DIRECTORY)[-1].path


def damaged(own: EmbeddedServer, change: Change) -> bytes:
    """Damage the file in its middle; its bytes as they were then."""
    data = newest(own).read_bytes()
    found = change(data, data.index(b"*1\r\n$5\r\nMULTI", len(data) // 2))
    newest(own).write_bytes(found)
    return found


def lists(own: EmbeddedServer) -> tuple[list[int], list[int]]:
    with own.start().client() as client:
        a, b = ([int(each) for each in client.lrange(name, 0, -1)] for name in "ab")
    own.stop()
    return a, b


@pytest.mark.parametrize("change", [zeros, hole, unknown, fewer, endless])
def test_it_is_cut_at_the_last_good_transaction_and_kept_as_it_was(own: EmbeddedServer, change: Change) -> None:
    """What stands before is loaded, both halves of it; the damaged file stays beside it; the loss is told in bytes, commands and time."""
    before = damaged(own, change)
    with pytest.raises(CannotLoad):
        own.start()
    said: list[str] = []
    repair(server_of(own), said.append)
    a, b = lists(own)
    assert a == b == list(range(len(a)))
    assert 0.4 * COUNT < len(a) < 0.6 * COUNT
    kept = newest(own).parent.glob("*.damaged-*")
    assert [path.read_bytes() for path in kept] == [before]
    text = "\n".join(said)
    assert f"of {len(before):,}" in text
    assert re.search(
        r"[\d,]+ commands are kept; [\d,]+ bytes are lost, all of it after 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC, with about", text
    )
    behind = int(re.findall(r"about ([\d,]+) commands", text)[0].replace(",", ""))
    assert behind > COUNT * 2, "five commands a number, and half of them are behind the damage"


def test_damage_in_the_first_command_leaves_what_the_snapshot_has(own: EmbeddedServer) -> None:
    """Nothing of that file is good, and the server starts all the same."""
    damaged(own, begins_late)
    repair(server_of(own), lambda _line: None)
    assert lists(own) == ([], [])


def test_files_that_go_on_from_what_is_lost_are_left_out_and_kept(own: EmbeddedServer) -> None:
    """Damage in an older file, as after a kill during a rewrite: the later one cannot be loaded on top of a gap."""
    damaged(own, zeros)
    later = newest(own).with_name("appendonly.aof.2.incr.aof")
    later.write_bytes(b"*3\r\n$5\r\nRPUSH\r\n$1\r\na\r\n$3\r\n999\r\n")
    with (later.parent / append_only_file.MANIFEST).open("a") as manifest:
        manifest.write(f"file {later.name} seq 2 type i\n")
    said: list[str] = []
    repair(server_of(own), said.append)
    a, b = lists(own)
    assert a == b
    assert 999 not in a
    assert "1 later files are left out" in "\n".join(said)
    assert len(list(later.parent.glob("*.damaged-*"))) == 2


def test_nobody_takes_the_trial_for_the_server(own: EmbeddedServer) -> None:
    """A worker that waits would begin to work, and lose its server a moment later."""
    damaged(own, zeros)
    seen: list[bool] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.append(server_of(own).socket.exists())

    watcher = threading.Thread(target=look)
    watcher.start()
    repair(server_of(own), lambda _line: None)
    done.set()
    watcher.join(10)
    assert len(seen) > 10
    assert not any(seen)


def test_nothing_is_cut_that_the_server_loads(own: EmbeddedServer) -> None:
    """A good file, and one whose last write is torn."""
    for lost in (0, 7):
        data = newest(own).read_bytes()
        newest(own).write_bytes(data[: len(data) - lost])
        said: list[str] = []
        repair(server_of(own), said.append)
        assert said == ["redis: nothing to repair: the server loads its files"]
    assert not list(newest(own).parent.glob("*.damaged-*"))
    assert len(lists(own)[0]) == COUNT - 1


def rewritten(own: EmbeddedServer) -> Path:
    """Everything in the snapshot."""
    with own.start().client() as client:
        client.bgrewriteaof()
        wait_for(lambda: not client.info("persistence")["aof_rewrite_in_progress"] and ".2." in newest(own).name, 10, "the rewrite")
    own.stop()
    return append_only_file.parts(newest(own).parent)[0].path


def test_a_damaged_snapshot_is_not_touched_and_what_can_be_done_is_said(own: EmbeddedServer) -> None:
    """It has a checksum and no commands: a copy is put back, or one starts empty and knows what that means."""
    base = rewritten(own)
    assert snapshot_good(base)
    data = bytearray(base.read_bytes())
    data[len(data) // 2] ^= 0xFF
    base.write_bytes(data)
    everything = {path: path.read_bytes() for path in base.parent.iterdir()}
    with pytest.raises(CannotLoad, match=r"base\.rdb, which holds everything.*cannot be cut: put .*docs/howto/backup\.md.*opted out"):
        repair(server_of(own), lambda _line: None)
    assert {path: path.read_bytes() for path in base.parent.iterdir()} == everything


@pytest.mark.parametrize("content", [b"", b"nonsense\n", b"file appendonly.aof.9.base.rdb seq 9 type b\n"])
def test_a_list_of_the_files_that_is_wrong_is_not_guessed_at(own: EmbeddedServer, content: bytes) -> None:
    """A file loaded twice, or one too few, is other data."""
    manifest = newest(own).parent / append_only_file.MANIFEST
    manifest.write_bytes(content)
    with pytest.raises(CannotLoad, match=r"put a copy .* back"):
        repair(server_of(own), lambda _line: None)
    assert manifest.read_bytes() == content


def test_the_server_s_words_about_a_file_hold_none_of_it(own: EmbeddedServer) -> None:
    """Valkey's log quotes the arguments of a command that it does not know; what we say does not."""
    data = newest(own).read_bytes()
    newest(own).write_bytes(data + b"*2\r\n$5\r\nRPUSX\r\n$12\r\nsecret words\r\n" + data[-200:])
    with pytest.raises(CannotLoad) as caught:
        own.start()
    assert "RPUSX" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_repair_does_not_run_beside_a_server(own: EmbeddedServer) -> None:
    """The files are somebody's: that process is named."""
    own.start()
    with BossProcess("redis", "--repair", settings={"BOSS_DATA_DIR": str(own.directory)}) as process:
        assert process.wait(30) == 2
        assert f"process {os.getpid()} already serves" in process.output


def test_the_command_says_that_it_is_for_the_embedded_server(tmp_path: Path) -> None:
    """With REDIS_URL the files are elsewhere."""
    with BossProcess("redis", "--repair", settings={"BOSS_DATA_DIR": str(tmp_path), "REDIS_URL": "redis://127.0.0.1:1"}) as process:
        assert process.wait(30) == 2
        assert "REDIS_URL is set" in process.output


def test_without_honcho_it_ends_and_says_what_to_do(own: EmbeddedServer) -> None:
    """Whoever started it starts it again."""
    damaged(own, zeros)
    with BossProcess("redis", settings={"BOSS_DATA_DIR": str(own.directory)}) as process:
        assert process.wait(30) == 2
        assert "`boss redis --repair`" in process.output


@pytest.fixture
def kept(own: EmbeddedServer) -> Iterator[tuple[list[str], Callable[[], None]]]:
    """`keep` in a thread on a damaged file: what it says, and how to end it."""
    damaged(own, zeros)
    said: list[str] = []
    end = threading.Event()
    thread = threading.Thread(target=keep, args=(server_of(own), end.is_set, 0.1, said.append))
    thread.start()

    def stop() -> None:
        end.set()
        thread.join(20)
        assert not thread.is_alive()

    yield said, stop
    stop()


def test_under_honcho_it_stays_says_so_once_and_goes_on_after_the_repair(
    own: EmbeddedServer, kept: tuple[list[str], Callable[[], None]]
) -> None:
    """Nobody starts anything again; a server that is killed later is started again as well."""
    said, stop = kept
    wait_for(lambda: said, 10, "what to do")
    assert "`boss redis --repair`" in said[0]
    with BossProcess("redis", "--repair", settings={"BOSS_DATA_DIR": str(own.directory)}) as process:
        assert process.wait(30) == 0, process.output
    wait_for(lambda: "server is up" in said[-1], 20, "the server")
    with own.client() as client:
        assert client.llen("a") > 0, said
    os.kill(own.pid, signal.SIGKILL)
    wait_for(lambda: said.count(said[-1]) == 2 and "server is up" in said[-1], 20, "the server again")
    stop()
    assert [line.partition(":")[2][:30] for line in said if "written everything" in line]
    assert len(said) == 5, said


def test_a_place_that_it_cannot_have_still_ends_it(own: EmbeddedServer) -> None:
    """A wrong setting is not waited out."""
    own.start()
    other = Server(server_of(own).directory, server_of(own).socket)
    with pytest.raises(ConfigurationError):
        keep(other, lambda: False, 0.1, lambda _line: None)


def test_a_long_file_is_read_in_seconds(tmp_path: Path) -> None:
    """200,000 commands with damage at their end."""
    part = append_only_file.AofPart(tmp_path / "long.aof", "i")
    part.path.write_bytes(b"*3\r\n$5\r\nRPUSH\r\n$1\r\na\r\n$3\r\n999\r\n" * 200_000 + b"*1\r\n$1\r\nx\r\n")
    began = time.monotonic()
    with scratch() as client:
        known = {name.upper().encode(): int(each["arity"]) for name, each in client.command().items()}
    found = append_only_file.damage(part, known)
    assert found
    assert (found.commands, found.good, found.behind) == (200_000, 200_000 * 31, 0)
    assert time.monotonic() - began < 10
