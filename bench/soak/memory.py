"""Memory over an hour: what each process and the server use, and whether it stays so."""

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
from bench.soak.processes import Cast

EVERY_SECONDS: Final = 10.0
FLAT: Final = 1.05
"""The last third's median may be so much of the second third's."""
STEADY: Final = 1.10
"""What a message adds to the server's memory in the last third may be so much of what it added in the second."""
MIB: Final = 1024 * 1024
BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Sample:
    """One look, `at` seconds after the beginning: MiB by process (who was away is not in it), the server's bytes, messages so far."""

    at: float
    processes: dict[str, float]
    redis_bytes: int
    """0 while it was away."""
    messages: int


def look(cast_: Cast, at: float, messages: int) -> Sample:
    """Look now."""
    processes = {name: pss_mib(pid) for name, pid in cast_.pids().items()}
    return Sample(at, {name: mib for name, mib in processes.items() if mib}, _used(cast_.whole.redis), messages)


def _used(redis: Redis) -> int:
    try:
        return int(redis.info("memory")["used_memory"])
    except RedisError:
        return 0


def thirds(samples: Sequence[Sample]) -> tuple[Sequence[Sample], Sequence[Sample], Sequence[Sample]]:
    """The samples by time."""
    end = samples[-1].at if samples else 0.0
    first = [sample for sample in samples if sample.at < end / 3]
    last = [sample for sample in samples if sample.at >= end * 2 / 3]
    return first, samples[len(first) : len(samples) - len(last)], last


def medians(samples: Sequence[Sample], name: str) -> tuple[float, float, float]:
    """A process's MiB in each third; 0 where it was never there."""
    first, second, last = (median([s.processes[name] for s in third if name in s.processes] or [0.0]) for third in thirds(samples))
    return first, second, last


def bytes_a_message(samples: Sequence[Sample]) -> float:
    """What a message added to the server's memory between the first and the last of these samples."""
    seen = [sample for sample in samples if sample.redis_bytes]
    if len(seen) < 2 or seen[-1].messages == seen[0].messages:  # two ends
        return 0.0
    return (seen[-1].redis_bytes - seen[0].redis_bytes) / (seen[-1].messages - seen[0].messages)


@dataclass(frozen=True, slots=True)
class Records:
    """The server's keys of one kind (`boss:msg`), and how many of them never expire."""

    kind: str
    keys: int
    lasting: int


def records(redis: Redis) -> list[Records]:
    """All keys by kind, most first. Retention is an expiry: what has none stays for ever."""
    keys, lasting = Counter[str](), Counter[str]()
    for batch in _batches(cast("Iterator[bytes]", redis.scan_iter(count=BATCH))):
        pipe = redis.pipeline(transaction=False)
        for key in batch:
            pipe.pttl(key)
        for key, left in zip(batch, pipe.execute(), strict=True):
            kind = ":".join(key.decode().split(":")[:2])
            keys[kind] += 1
            lasting[kind] += left == -1
    return [Records(kind, count, lasting[kind]) for kind, count in keys.most_common()]


def _batches(keys: Iterator[bytes]) -> Iterator[list[bytes]]:
    while batch := list(islice(keys, BATCH)):
        yield batch
