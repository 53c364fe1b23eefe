"""Reads what processes and Valkey have used, as the kernel and the server count it: CPU seconds, memory, commands, reads."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from redis import Redis

TICK: Final = os.sysconf("SC_CLK_TCK")
SAMPLE_SECONDS: Final = 0.2


def _stat(pid: str) -> list[str]:
    """A process's `stat` from its third field on; empty for one that has gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def family(root: int) -> list[int]:
    """A process and all its living descendants."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208 - names only, many times a second
        if entry.isdigit() and (fields := _stat(entry)):
            children.setdefault(int(fields[1]), []).append(int(entry))
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


def cpu_seconds(root: int) -> float:
    """User and system time of a process, its living descendants, and those that they have waited for, in seconds."""
    stats = [_stat(str(pid)) for pid in family(root)]
    return sum(sum(int(field) for field in fields[11:15]) for fields in stats if fields) / TICK


def pss_mib(root: int) -> float:
    """The memory (PSS) of a process and its descendants in MiB: a shared page counts by the process's share of it."""
    return sum(pss_kib(pid) for pid in family(root)) / 1024


def pss_kib(pid: int) -> int:
    """The memory (PSS) of one process in KiB; 0 for one that has gone."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return int(text.partition("\nPss:")[2].split()[0])


class PeakMemory:
    """The largest memory of a process tree while `with` lasts, sampled five times a second."""

    def __init__(self, root: int) -> None:
        self.mib = pss_mib(root)
        self._root = root
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join(5)

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self.mib = max(self.mib, pss_mib(self._root))


@dataclass(frozen=True, slots=True)
class RedisCounters:
    """The server's counters. `commands` includes those that scripts call; `reads` are reads of client sockets."""

    commands: int
    reads: int

    def __sub__(self, other: RedisCounters) -> RedisCounters:
        return RedisCounters(self.commands - other.commands, self.reads - other.reads)


def redis_counters(redis: Redis) -> RedisCounters:
    """The server's counters now."""
    info = redis.info("stats")
    return RedisCounters(int(info["total_commands_processed"]), int(info["total_reads_processed"]))


def percentile(values: Iterable[float], percent: int) -> float:
    """A percentile by nearest rank; 0 for no values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else 0.0
