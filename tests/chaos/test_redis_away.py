"""What only a machine of one's own can show: the network to Redis swallows all packets, or the disk under it is full."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.chaos.away import MAIL_OF_UNKNOWN_FATE, PATIENCE, SECONDS, Books, Record, endure
from tests.chaos.table import FULL, Table
from tests.support.installation import FAST, Installation
from tests.support.network_namespaces import Network
from tests.support.server import EmbeddedServer
from tests.support.tcp_server import TcpServer
from tests.support.wait import wait_for

pytestmark = pytest.mark.timeout(PATIENCE)
TIMES = MAIL_OF_UNKNOWN_FATE if FULL else FAST
DISK_MB = 16


@pytest.mark.skipif(not FULL, reason="a host without packets is in the short form of test_hosts: make chaos")
def test_nothing_is_lost_or_doubled_while_no_packet_reaches_redis(table: Table, record_property: Record) -> None:
    """No connection is refused or closed: answers just do not come. Web, worker and bridge live on without them."""
    fault = "redis unreachable"
    if why := Network.missing():
        table.skip(f"{fault}, 10 messages/s", why)
    with Network() as network:
        host = network.host()

        def away() -> None:
            host.cut()
            time.sleep(SECONDS)  # the outage itself, not a wait for anything
            host.join()

        with Installation(times=TIMES, server=TcpServer(host)) as installation:
            worker, bridge = installation.worker(), installation.bridge()
            result = endure(installation, bridge.url, fault, away, Books(table, record_property))
            assert [process.returncode for process in (worker, bridge, installation.web)] == [None] * 3
    assert result.not_taken == 0, result


def test_nothing_is_lost_or_doubled_while_the_disk_under_redis_is_full(table: Table, record_property: Record) -> None:
    """What the append-only file does not hold is not accepted; what was accepted is there after a kill."""
    fault = "redis' disk full"
    with _small_disk() as (disk, why):
        if why:
            table.skip(f"{fault}, 10 messages/s", why)
        with Installation(times=TIMES, server=EmbeddedServer(disk)) as installation:

            def away() -> None:
                ballast = _fill(disk)
                wait_for(lambda: installation.redis.info("persistence")["aof_last_write_status"] == "err", SECONDS, "a failed write")
                time.sleep(SECONDS)  # the outage itself, not a wait for anything
                ballast.unlink()

            installation.worker()
            result = endure(installation, "", fault, away, Books(table, record_property))
            answered = _answered(installation)
            installation.server.kill9()
            installation.server.start()
            assert _answered(installation) == answered == result.messages
    assert result.not_taken == 0, result


@contextmanager
def _small_disk() -> Iterator[tuple[Path, str]]:
    """A file system of sixteen megabytes, several times what is written, and why there is none."""
    disk = Path(tempfile.mkdtemp(prefix="boss-disk-"))
    tool = shutil.which("mount")
    why = "needs root to mount a small disk" if os.geteuid() or tool is None else ""
    try:
        if not why:
            command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=700", "bossline-test", str(disk)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            why = f"no small disk: {done.stderr.strip()}" if done.returncode else ""
        yield disk, why
    finally:
        if not why:
            subprocess.run(["umount", "--lazy", str(disk)], check=False)
        shutil.rmtree(disk, ignore_errors=True)


def _fill(disk: Path) -> Path:
    """Write a file until nothing more fits."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            return ballast
    raise AssertionError("the disk has no end")


def _answered(installation: Installation) -> int:
    """How many messages the records say are answered."""
    keys = list(installation.redis.scan_iter("boss:msg:*", count=1000))
    return sum(installation.redis.hget(key, "state") == b"answered" for key in keys)
