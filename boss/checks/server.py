"""Redis and what is in it: can it be relied on, does somebody work, does anything wait for a person."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Any, Final

from redis import Redis

from boss import pause_view
from boss.checks.replication import replicas
from boss.checks.result import Finding, fail, not_checked, not_running, ok, warn
from boss.dashboard.rq_classes import SeenWorker
from boss.terminal.output import age
from shared.config.settings import Settings
from shared.mailbox import Mailbox, keys
from shared.mailbox.calls import STANDBY
from shared.mailbox.statistics import LIVE_SECONDS, Figures
from shared.model.codec import DATA_VERSION
from shared.operations import pauses
from shared.operations.people import People
from shared.storage import clock_skew
from shared.storage.clients import AWAY

OLDEST: Final = (6, 2)
SLOW_MS: Final = 20.0
WAIT_WARN: Final = 10.0
WAIT_FAIL: Final = 300.0
DUE_WARN: Final = 5.0
DUE_FAIL: Final = 60.0
FULL_WARN: Final = 0.8
FULL_FAIL: Final = 0.95
_TODO_TRIED: Final = "Mend the reason. Sending goes on by itself when a try succeeds, and at once by: boss resume"
KEEP_ALL: Final = "noeviction"


def server(redis: Redis) -> list[Finding]:
    """Reach, version and latency; then whether it keeps what it is given, and whose data it holds."""
    try:
        started = time.perf_counter()
        redis.ping()
        latencies = [time.perf_counter() - started, *(_ping(redis) for _ in range(4))]
        info: dict[str, Any] = redis.info()
    except AWAY as error:
        return [not_running(fail("redis", f"no answer ({type(error).__name__})", "Start `boss redis`, or correct REDIS_URL."))]
    return [_version(info, sorted(latencies)[2] * 1000), _policy(info), *_room(info), _durable(info), replicas(info), _schema(redis)]


def clock(redis: Redis) -> list[Finding]:
    """This machine's clock against the server's."""
    skew = clock_skew.skew(redis)
    detail = f"{abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} the server's"
    if abs(skew) > clock_skew.SKEW_FAIL:
        return [fail("clock", detail, "Synchronise this machine's clock (NTP): look-ups and signatures by time go wrong.")]
    if abs(skew) > clock_skew.SKEW_WARN:
        return [warn("clock", detail, "Synchronise this machine's clock (NTP).")]
    return [ok("clock", detail)]


def queue(seen: Figures) -> list[Finding]:
    """How long the wake-ups wait."""
    depth, wait = seen.jobs.count, seen.jobs.oldest_seconds
    detail = f"{depth} jobs wait, the oldest for {age(wait)}" if depth else "empty"
    if wait > WAIT_WARN:
        return [(fail if wait > WAIT_FAIL else warn)("queue", detail, "Start a worker, or more of them: `boss worker`.")]
    return [ok("queue", detail)]


def workers(redis: Redis) -> list[Finding]:
    """Who works, by RQ's own records; a standby is no regular worker, and shows that those are missing."""
    now = datetime.now(UTC)
    heard = [(worker.name, (now - worker.last_heartbeat).total_seconds()) for worker in SeenWorker.all(redis) if worker.last_heartbeat]
    regular = sorted(seconds for name, seconds in heard if not name.startswith(STANDBY))
    live = [seconds for seconds in regular if seconds <= LIVE_SECONDS]
    if live:
        return [ok("workers", f"{len(live)} live, the freshest heard from {age(max(0.0, live[0]))} ago")]
    seen = f"the last sign of one is {age(regular[0])} old" if regular else "none is registered"
    if any(seconds <= LIVE_SECONDS for name, seconds in heard if name.startswith(STANDBY)):
        return [warn("workers", f"only the standby works, no regular worker: {seen}", "Start one: `boss worker`.")]
    return [fail("workers", f"nobody works: {seen}", "Start one: `boss worker`.")]


def due(seen: Figures) -> list[Finding]:
    """Conversations whose time has come and that nobody has looked at."""
    late = seen.most_overdue_seconds
    detail = f"{seen.due} with work, {seen.overdue} overdue" + (f", the oldest by {age(late)}" if seen.overdue else "")
    if late > DUE_WARN:
        return [(fail if late > DUE_FAIL else warn)("conversations", detail, "Start a worker, or more of them: their sweep wakes these.")]
    return [ok("conversations", detail)]


def waiting(settings: Settings, seen: Figures) -> list[Finding]:
    """How many messages wait for their answer, of those that may."""
    messages = seen.messages
    count, most = messages.count, settings.max_open_messages
    detail = f"{count} of at most {most}" + (f", the oldest for {age(messages.oldest_seconds)}" if count else "")
    if count >= FULL_WARN * most:
        todo = (
            "Start more workers (`boss worker --processes N`), or see why they are slow: beyond this, mail gets 503 and texts wait on disk."
        )
        return [(fail if count >= most else warn)("waiting", detail, todo)]
    return [ok("waiting", detail)]


def parked(seen: Figures) -> list[Finding]:
    """Messages that wait for an operator."""
    if seen.parked:
        return [warn("parked", f"{seen.parked} messages wait for you", "See `boss messages parked`, then retry or discard them.")]
    return [ok("parked", "none")]


def reminders(seen: Figures) -> list[Finding]:
    """Reminders that should have rung."""
    found = seen.reminders
    lost, waits = found.overdue - found.held, f"{found.count} wait for their time"
    held = f"; {found.held} for their person, who is paused, opted out or out of reach" if found.held else ""
    if lost:
        todo = "Start a worker (`boss worker`). If there is one, its log says `reminder_failed`, and which."
        return [fail("reminders", f"{waits}; {lost} overdue, the first by {age(found.most_overdue_seconds)}{held}", todo)]
    return [ok("reminders", waits + held if found.count else "none")]


def paused(settings: Settings, redis: Redis) -> list[Finding]:
    """Whether anything is sent at all, and to whom nothing is."""
    found = pauses.paused(Mailbox(redis), People.load(settings, redis))
    if not found:
        return [ok("sending", "not paused")]
    now, (first, *others) = time.time(), found
    if first["user"]:
        return [warn("sending", "\n".join(pause_view.describe(found, now)), "To end one: boss resume --user USERNAME")]
    lines = [f"PAUSED: {pause_view.cause(first, now)}", *pause_view.describe(others, now)]
    return [fail("sending", "\n".join(lines), _TODO_TRIED if first["provider"] else "Mend the reason, then run: boss resume")]


def _ping(redis: Redis) -> float:
    started = time.perf_counter()
    redis.ping()
    return time.perf_counter() - started


def _version(info: dict[str, Any], median_ms: float) -> Finding:
    name, text = ("valkey", info["valkey_version"]) if "valkey_version" in info else ("redis", info.get("redis_version", "?"))
    numbers = tuple(int(part) for part in re.findall(r"\d+", str(text))[:2])
    detail = f"{name} {text} answers in {median_ms:.1f} ms"
    if numbers < OLDEST:
        return fail("redis", detail, "Use Redis 6.2 or newer, or any Valkey: a worker's queue needs BLMOVE.")
    if median_ms > SLOW_MS:
        return warn("redis", detail, "Move it nearer: each message takes about ten round trips.")
    return ok("redis", detail)


def _policy(info: dict[str, Any]) -> Finding:
    policy = info.get("maxmemory_policy")
    if policy == KEEP_ALL:
        return ok("eviction", KEEP_ALL)
    if policy is None:
        return not_checked("eviction", "the server does not say")
    finding = fail if int(info.get("maxmemory") or 0) else warn
    return finding("eviction", f"maxmemory-policy is {policy}: a full server drops messages", "Set maxmemory-policy noeviction.")


def _room(info: dict[str, Any]) -> list[Finding]:
    limit, used = int(info.get("maxmemory") or 0), int(info.get("used_memory") or 0)
    if not limit:
        return []
    detail = f"{used / limit:.0%} of {limit / 1024**2:.0f} MiB"
    if used / limit > FULL_WARN:
        finding = fail if used / limit > FULL_FAIL else warn
        return [finding("memory", detail, "Raise maxmemory (EMBEDDED_MAXMEMORY_MB), or lower RETENTION_DAYS.")]
    return [ok("memory", detail)]


def _durable(info: dict[str, Any]) -> Finding:
    if "aof_enabled" not in info:
        return not_checked("durability", "the server does not say whether it appends to a file")
    if not int(info["aof_enabled"]):
        return fail("durability", "the append-only file is off: accepted messages are lost when Redis stops", "Set appendonly yes.")
    if info.get("aof_last_write_status", "ok") != "ok":
        return fail("durability", "the append-only file cannot be written", "Look at the disk under Redis.")
    return ok("durability", "append-only file on")


def _schema(redis: Redis) -> Finding:
    raw: Any = redis.get(keys.SCHEMA)
    if raw is None:
        return ok("schema", "no data yet")
    found = int(raw)
    if found > DATA_VERSION:
        return fail("schema", f"the data has version {found}, this Bossline knows {DATA_VERSION}", "Run the newer Bossline.")
    return ok("schema", f"version {found}")
