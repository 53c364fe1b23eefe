"""Samples the memory of the processes and of the server over a soak, and says how it grows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import median
from typing import Final, cast

from redis import Redis
from redis.exceptions import RedisError

from bench.harness.measure import pss_mib
from bench.soak.processes import SoakProcesses

SAMPLE_SECONDS: Final = 10.0
MAX_PROCESS_GROWTH: Final = 1.05
"""The highest ratio of the last third's median to the second third's."""
MAX_MESSAGE_GROWTH: Final = 1.10
"""The highest ratio of what a message adds to the server's memory in the last third to what it added in the second."""
MIB: Final = 1024 * 1024
SCAN_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample, `at` seconds after the start: MiB by process (without those that are away), the server's bytes, messages so far."""

    at: float
    processes: dict[str, float]
    redis_bytes: int
    """0 while the server was away."""
    messages: int


def take_sample(soak: SoakProcesses, at: float, messages: int) -> Sample:
    """Take a sample now."""
    processes = {name: pss_mib(pid) for name, pid in soak.pids().items()}
    return Sample(at, {name: mib for name, mib in processes.items() if mib}, _used(soak.installation.redis), messages)


def _used(redis: Redis) -> int:
    try:
        return int(redis.info("memory")["used_memory"])
    except RedisError:
        return 0


def thirds(samples: Sequence[Sample]) -> tuple[Sequence[Sample], Sequence[Sample], Sequence[Sample]]:
    """The samples of each third of the time."""
    end = samples[-1].at if samples else 0.0
    first = [one for one in samples if one.at < end / 3]
    last = [one for one in samples if one.at >= end * 2 / 3]
    return first, samples[len(first) : len(samples) - len(last)], last


def medians(samples: Sequence[Sample], name: str) -> tuple[float, float, float]:
    """A process's median MiB in each third; 0 for a third in which it was always away."""
    first, second, last = (median([s.processes[name] for s in third if name in s.processes] or [0.0]) for third in thirds(samples))
    return first, second, last


def bytes_a_message(samples: Sequence[Sample]) -> float:
    """The bytes that a message added to the server's memory, on average, between the first and the last of these samples."""
    seen = [one for one in samples if one.redis_bytes]
    if len(seen) < 2 or seen[-1].messages == seen[0].messages:  # a difference needs two samples
        return 0.0
    return (seen[-1].redis_bytes - seen[0].redis_bytes) / (seen[-1].messages - seen[0].messages)


@dataclass(frozen=True, slots=True)
class KeyCount:
    """How many keys of one kind (`boss:msg`) the server has, and how many of them never expire."""

    kind: str
    keys: int
    lasting: int


def count_keys(redis: Redis) -> list[KeyCount]:
    """Count all keys by kind, most first. Retention is an expiry: a key without one stays for ever."""
    keys, lasting = Counter[str](), Counter[str]()
    for batch in _batches(cast("Iterator[bytes]", redis.scan_iter(count=SCAN_BATCH))):
        pipe = redis.pipeline(transaction=False)
        for key in batch:
            pipe.pttl(key)
        for key, left in zip(batch, pipe.execute(), strict=True):
            kind = ":".join(key.decode().split(":")[:2])
            keys[kind] += 1
            lasting[kind] += left == -1
    return [KeyCount(kind, count, lasting[kind]) for kind, count in keys.most_common()]


def _batches(keys: Iterator[bytes]) -> Iterator[list[bytes]]:
    while batch := list(islice(keys, SCAN_BATCH)):
        yield batch
