"""The spool's directory: what is on disk is whole, private and counted, and a disk that refuses is an answer."""

from __future__ import annotations

import errno
import fcntl
import os
import pkgutil
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from boss.checks.spool import spool as check
from shared import durable_files, spool_layout
from shared.config.loading import load_settings
from shared.config.settings import Settings
from shared.errors import StorageUnavailable
from shared.spool_layout import BLOCK, MIB, SpoolFile
from shared.storage import embedded
from webhook_api.intake import tickets
from webhook_api.intake.spool import Spool

OLD = time.time() - 60


def settings(directory: Path, **changes: Any) -> Settings:
    return load_settings(_env_file=None, sandbox="on", boss_data_dir=directory, **{"spool_min_free_mb": 0, **changes})


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """A spool that was not written to yet."""
    return Spool(settings(tmp_path))


def waiting(directory: Path) -> list[str]:
    return sorted(path.name for path in (directory / "spool" / "waiting").iterdir())


def entries(directory: Path) -> list[tuple[int, int]]:
    """Ticket and size of each file; there is nothing but entries."""
    found = [SpoolFile.parse(text) for text in waiting(directory)]
    assert all(name and not name.draft for name in found)
    return [(name.ticket, name.size) for name in found if name]


def legacy(directory: Path, ticket: int, content: bytes) -> Path:
    """An entry as the version before wrote it."""
    path = directory / "spool" / "waiting" / f"{ticket:020}-{len(content)}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_nothing_is_made_before_there_is_something_to_keep(spool: Spool, tmp_path: Path) -> None:
    """A spool that is not there is empty."""
    assert spool.is_empty()
    assert spool.scan().depth == 0
    assert list(tmp_path.iterdir()) == []


def test_what_is_written_is_for_this_user_alone(spool: Spool, tmp_path: Path) -> None:
    """Directories 0700, files 0600: they hold what people wrote."""
    spool.write(5, b"x" * 10)
    root = tmp_path / "spool"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (root, *root.rglob("*"))}
    (entry,) = waiting(tmp_path)
    assert modes == {"spool": 0o700, "waiting": 0o700, entry: 0o600, "ticket": 0o600}
    assert not spool.is_empty()
    assert spool.read(spool.scan(1).head[0]) == b"x" * 10


def test_the_data_directory_is_private_whoever_makes_it_first(tmp_path: Path) -> None:
    """The web process's spool, or the embedded server: the default is not left to the umask."""
    by_web, by_server = tmp_path / "web", tmp_path / "server"
    durable_files.make_directory(by_web / "spool" / "waiting")
    embedded._private_directory(by_server / "redis")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (by_web, by_server)] == [0o700, 0o700]


def test_it_counts_what_comes_and_goes(spool: Spool, tmp_path: Path) -> None:
    """In whole blocks; a listing by another process comes to the same."""
    for ticket, size in ((7, 10), (5, BLOCK + 1), (6, 1)):
        spool.write(ticket, b"x" * size)
    found = Spool(settings(tmp_path)).scan(head=3)
    five, six, seven = found.head
    assert [name.ticket for name in found.head] == [5, 6, 7]
    assert (found.depth, found.bytes, found.oldest, found.newest) == (3, 4 * BLOCK, five, 7)
    assert (spool.depth, spool.bytes, spool.oldest) == (3, 4 * BLOCK, five)
    spool.remove([five, six], following=seven)
    assert (spool.depth, spool.bytes, spool.oldest) == (1, BLOCK, seven)
    spool.set_aside(seven)
    assert (spool.depth, spool.bytes, spool.oldest, spool.count_aside(), spool.is_empty()) == (0, 0, None, 1, True)


def test_its_size_has_a_limit(tmp_path: Path) -> None:
    """SPOOL_MAX_MB holds for all that waits; what was removed makes room again."""
    spool = Spool(settings(tmp_path, spool_max_mb=1))
    for ticket in range(1, 4):
        spool.write(ticket, b"x" * (MIB // 4))
    spool.write(4, b"x" * (MIB // 4))
    with pytest.raises(StorageUnavailable, match="no_room"):
        spool.write(5, b"x")
    assert (spool.free_bytes(), len(waiting(tmp_path))) == (0, 4)
    spool.remove(spool.scan(1).head)
    spool.write(6, b"x" * (MIB // 4))


def test_a_disk_that_is_nearly_full_is_left_alone(tmp_path: Path) -> None:
    """SPOOL_MIN_FREE_MB must stay free."""
    spool = Spool(settings(tmp_path, spool_min_free_mb=10**9))
    with pytest.raises(StorageUnavailable, match="no_room"):
        spool.write(1, b"x")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    path = tmp_path / "small"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)]
    if os.getuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small file system, and not everywhere")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def test_a_full_disk_is_an_answer_and_leaves_no_half_file(small_disk: Path) -> None:
    """What was written before stays readable, and there is room again when something goes."""
    spool = Spool(settings(small_disk))
    spool.write(1, b"x" * 1000)
    (small_disk / "others").write_bytes(b"x" * (small_disk_free(small_disk) - 2 * BLOCK))
    with pytest.raises(StorageUnavailable, match=r"no_room|ENOSPC"):
        spool.write(2, b"x" * (4 * BLOCK))
    assert entries(small_disk) == [(1, 1000)]
    (small_disk / "others").unlink()
    spool.write(3, b"x" * (4 * BLOCK))
    assert (spool.depth, spool.bytes, len(waiting(small_disk))) == (2, 5 * BLOCK, 2)


def small_disk_free(path: Path) -> int:
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize


@pytest.mark.parametrize("step", ["write", "fsync", "link", "open"])
def test_a_write_that_fails_half_way_leaves_nothing(spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Whichever step the disk refuses: no draft, no entry, no count, and the next one is taken."""
    spool.write(1, b"x")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, step, refuse)
        with pytest.raises(StorageUnavailable, match="ENOSPC"):
            spool.write(2, b"x")
    assert entries(tmp_path) == [(1, 1)]
    assert (spool.depth, spool.bytes, spool.free_bytes()) == (1, BLOCK, spool_layout.free_bytes(settings(tmp_path), BLOCK))
    spool.write(3, b"x")


def test_an_entry_is_synced_before_it_has_its_name_and_its_directory_afterwards(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Content, name, directory: in another order a crash could leave an empty entry, or none, after its sender was answered."""
    spool.write(1, b"x")
    done: list[str] = []
    sync, link = os.fsync, os.link

    def synced(descriptor: int) -> None:
        done.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else f"content {os.fstat(descriptor).st_size}")
        sync(descriptor)

    def linked(path: Path, name: Path, **options: bool) -> None:
        done.append("name")
        link(path, name, **options)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "link", linked)
    spool.write(2, b"xyz")
    assert done == ["content 3", "name", "directory"]


class Killed(BaseException):
    """The process is gone: nothing of it runs any more, and the kernel closes its files."""


@pytest.mark.parametrize("call", [1, 2])
@pytest.mark.parametrize(
    "step", ["os.open", "os.pread", "os.pwrite", "fcntl.flock", "os.write", "os.fsync", "os.link", "pathlib.Path.unlink"]
)
def test_a_writer_that_dies_at_any_step_leaves_a_whole_entry_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, call: int
) -> None:
    """Before or after what it was about to do. Nothing half is handed over, the draft goes, what others have there stays."""
    spool, other, calls = Spool(settings(tmp_path)), Spool(settings(tmp_path)), count(1)
    other.write(1, b"before")
    real = pkgutil.resolve_name(step)

    def die(*args: Any, **options: Any) -> Any:
        if next(calls) == call:
            raise Killed
        return real(*args, **options)

    with monkeypatch.context() as death, suppress(Killed):
        death.setattr(step, die)
        spool.write(2, b"whole")
    monkeypatch.setattr("webhook_api.intake.spool.NEW_DRAFT_SECONDS", 0)
    assert all(other.remove_dead_draft(draft) for draft in other.scan().drafts)
    assert [other.read(name) for name in other.scan(9).head] in ([b"before"], [b"before", b"whole"])
    assert {ticket for ticket, _ in entries(tmp_path)} <= {1, 2}
    assert other.highest() >= entries(tmp_path)[-1][0]


def test_no_name_is_given_to_a_second_file(tmp_path: Path) -> None:
    """Two writers with one ticket and one size, and even one name, as after a fork: both entries are there."""
    one, other = Spool(settings(tmp_path)), Spool(settings(tmp_path))
    one.write(7, b"first")
    other.write(7, b"other")
    other._writer = one._writer
    other.write(7, b"third")
    assert entries(tmp_path) == [(7, 5)] * 3
    assert {one.read(name) for name in one.scan(9).head} == {b"first", b"other", b"third"}


def test_a_file_system_without_links_still_gives_no_name_twice(spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked first."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    spool.write(1, b"one")
    (name,) = spool.scan(1).head
    with pytest.raises(FileExistsError):
        durable_files.atomic_write(tmp_path / "spool" / "waiting", name, b"two")
    assert spool.read(name) == b"one"


def test_what_is_insured_or_set_aside_twice_is_there_twice(spool: Spool, tmp_path: Path) -> None:
    """An older version, or an operator, may give one name to two files one after the other; neither is written over."""
    legacy(tmp_path, 5, b"one")
    spool.keep_unreplicated(spool.scan(1).head)
    legacy(tmp_path, 5, b"two")
    spool.keep_unreplicated(spool.scan(1).head)
    assert {path.read_bytes() for path in (tmp_path / "spool" / "insured").iterdir()} == {b"one", b"two"}
    for content in (b"one", b"two", b"six"):
        legacy(tmp_path, 5, content)
        spool.set_aside(spool.scan(1).head[0])
    assert {path.read_bytes() for path in (tmp_path / "spool" / "aside").iterdir()} == {b"one", b"two", b"six"}


def test_a_move_that_a_crash_cut_in_two_is_done_again(tmp_path: Path) -> None:
    """Both names are one file's: the old one goes, and there is no third."""
    old, new = legacy(tmp_path, 5, b"one"), tmp_path / "spool" / "insured" / "new.json"
    new.parent.mkdir()
    os.link(old, new)
    durable_files.move(old, [new])
    durable_files.move(old, [new])
    assert not old.exists()
    assert new.read_bytes() == b"one"


def test_the_highest_ticket_is_that_of_all_writers_and_never_falls(tmp_path: Path) -> None:
    """It is raised before an entry has its name; what is gone from the disk still counts."""
    one, other = Spool(settings(tmp_path)), Spool(settings(tmp_path))
    one.write(9, b"x")
    other.write(5, b"x")
    assert (one.highest(), other.highest()) == (9, 9)
    one.remove(one.scan(9).head)
    assert other.highest() == 9


@pytest.mark.parametrize("spoilt", [None, b"", b"garbage", b"9" * 20])
def test_a_highest_ticket_that_is_lost_is_found_again_on_the_disk(tmp_path: Path, spoilt: bytes | None) -> None:
    """Removed, cut, or no number: by the next who asks, or by the next start."""
    spool, path = Spool(settings(tmp_path)), tmp_path / "spool" / "ticket"
    spool.write(9, b"x")
    path.unlink()
    if spoilt is not None:
        path.write_bytes(spoilt)
    assert spool.highest() == 9
    path.write_bytes(b"%020d" % 3)  # what a crash of the host left of it
    assert Spool(settings(tmp_path)).highest_on_disk() == 9
    assert spool.highest() == 9


def test_a_highest_ticket_that_a_frozen_process_holds_is_an_answer(spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for it longer than its second."""
    monkeypatch.setattr(tickets, "LOCK_SECONDS", 0.05)
    spool.write(1, b"x")
    with (tmp_path / "spool" / "ticket").open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StorageUnavailable, match="ETIMEDOUT"):
            spool.write(2, b"x")
        with pytest.raises(StorageUnavailable, match="ETIMEDOUT"):
            spool.highest()
    spool.write(2, b"x")
    assert entries(tmp_path) == [(1, 1), (2, 1)]


def test_a_dead_process_s_draft_goes_and_a_live_one_s_stays(spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody was answered for a draft; its writer holds a lock on it, which the kernel gives up for the dead."""
    spool.write(1, b"x")
    draft = SpoolFile(2, 100, draft=True)
    path = tmp_path / "spool" / "waiting" / draft.name
    path.write_bytes(b"half")
    os.utime(path, (OLD, OLD))
    assert spool.scan().drafts == [draft]
    assert not spool.remove_dead_draft(draft), "its writer may not have locked it yet, whatever the file's time"
    monkeypatch.setattr("webhook_api.intake.spool.NEW_DRAFT_SECONDS", 0)
    with path.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert not spool.remove_dead_draft(draft)
    assert spool.remove_dead_draft(draft)
    assert entries(tmp_path) == [(1, 1)]


def test_a_draft_counts_as_something_that_waits(spool: Spool, tmp_path: Path) -> None:
    """Another process is about to have an entry there."""
    spool.write(1, b"x")
    spool.remove(spool.scan(1).head)
    assert spool.is_empty()
    (tmp_path / "spool" / "waiting" / SpoolFile(2, 100, draft=True).name).touch()
    assert not spool.is_empty()


def test_another_process_s_entry_is_seen_whatever_the_directory_s_clock_says(spool: Spool, tmp_path: Path) -> None:
    """Two changes may bear the same time when they are close together; only an old one is taken at its word."""
    waiting = tmp_path / "spool" / "waiting"
    waiting.mkdir(parents=True)
    assert spool.is_empty()
    at = waiting.stat().st_mtime_ns
    (waiting / SpoolFile(1, 2).name).write_bytes(b"{}")
    os.utime(waiting, ns=(at, at))
    assert not spool.is_empty()


def test_a_directory_that_did_not_change_is_not_listed_again(spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every webhook asks whether something waits: three system calls for each would be two too many."""
    waiting, listed, scandir = tmp_path / "spool" / "waiting", list[str](), os.scandir
    waiting.mkdir(parents=True)
    os.utime(waiting, ns=(1_000_000_000, 1_000_000_000))

    def counted(path: str) -> Any:
        listed.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", counted)
    assert [spool.is_empty() for _ in range(3)] == [True] * 3
    assert len(listed) == 3, "its last change may be of now, whatever a clock says"
    monkeypatch.setattr("webhook_api.intake.spool.SETTLED_SECONDS", 0)
    assert [spool.is_empty() for _ in range(3)] == [True] * 3
    assert len(listed) == 4
    (waiting / SpoolFile(1, 2).name).write_bytes(b"{}")
    assert not spool.is_empty()
    assert len(listed) == 5


def test_a_directory_has_one_replayer(spool: Spool, tmp_path: Path) -> None:
    """The second is told so, until the first is done."""
    spool.write(1, b"x")
    with spool.replaying() as first, Spool(settings(tmp_path)).replaying() as second:
        assert (first, second) == (True, False)
    with Spool(settings(tmp_path)).replaying() as later:
        assert later


def test_the_doctor_reads_the_directory_itself(spool: Spool, tmp_path: Path) -> None:
    """Empty is ok, waiting a warning; set aside or without room is a failure. Nothing of the content is shown."""

    def findings(**changes: Any) -> list[tuple[str, bool]]:
        return [(finding.status, bool(finding.todo)) for finding in check(settings(tmp_path, **changes))]

    assert findings() == [("ok", False)]
    spool.write(10**18, b"canary")
    (entry,) = (tmp_path / "spool" / "waiting").iterdir()
    os.utime(entry, (time.time() - 300,) * 2)
    assert findings() == [("warn", True)]
    (finding,) = check(settings(tmp_path))
    assert "1 entries wait for Redis, the oldest for 5 min" in finding.detail
    assert "canary" not in f"{finding}"
    assert findings(spool_min_free_mb=10**9) == [("fail", True)]
    spool.set_aside(spool.scan(1).head[0])
    assert findings() == [("fail", True)]
