"""Whether somebody stands by for the regular workers, and whether that one has to work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from redis import Redis

from boss.checks.result import Finding, ok, warn
from boss.terminal.output import age
from shared.config.settings import Settings
from shared.errors import BadInput
from shared.mailbox import keys
from shared.mailbox.calls import STANDBY_KEPT_MS
from shared.model import codec

NAME: Final = "standby"


@dataclass(frozen=True, slots=True)
class Entry:
    """What one standby said of itself, and for how many seconds it has been so."""

    name: str
    standing: str
    seconds: float


def standby(settings: Settings, redis: Redis) -> list[Finding]:
    """One finding for each that lives; for none, one that matters in production alone."""
    if settings.local_fallback == "off":
        return [ok(NAME, "LOCAL_FALLBACK=off: nobody stands in for the workers")]
    if entries := _entries(redis):
        return [_finding(entry) for entry in entries]
    if settings.environment == "production":
        return [warn(NAME, "none runs: without workers nobody would answer", "Run `boss standby` beside the web process.")]
    return [ok(NAME, "none runs")]


def _finding(entry: Entry) -> Finding:
    since = f"on {entry.name} for {age(entry.seconds)}"
    if entry.standing == "working":
        return warn(NAME, f"WORKS {since}: no regular worker lives", "Start a regular one: `boss worker`.")
    if entry.standing == "retiring":
        return ok(NAME, f"finishes its last turns {since}: a regular worker is back")
    return ok(NAME, f"watches {since}")


def _entries(redis: Redis) -> list[Entry]:
    """Those that spoke of late, by name. Raises RedisError."""
    seconds, micros = redis.time()
    now = seconds * 1000 + micros // 1000
    raw: Any = redis.hgetall(keys.STANDBY)
    found = (_entry(name.decode("utf-8", "replace"), value, now) for name, value in sorted(raw.items()))
    return [entry for entry in found if entry is not None]


def _entry(name: str, raw: bytes, now: int) -> Entry | None:
    """One entry; None for a standby that has not spoken for too long, or for what is none."""
    try:
        fields = codec.loads(raw)
        since, seen = int(fields["since"]), int(fields["seen"])
        return Entry(name, str(fields["state"]), max(0, now - since) / 1000) if now - seen <= STANDBY_KEPT_MS else None
    except (BadInput, KeyError, TypeError, ValueError):
        return None
