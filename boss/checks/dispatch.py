"""RQ's side: jobs that failed, and workers on our queue that are none of ours. No text of a job or of an error is shown."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from importlib import metadata
from typing import Any, Final

from redis import Redis
from rq.registry import FailedJobRegistry

from boss.checks.result import Finding, ok, warn
from boss.dashboard.rq_classes import SeenJob
from boss.terminal.output import age
from shared import errors
from shared.mailbox.statistics import QUEUE_WORKERS_KEY
from shared.mailbox.wake_queue import QUEUE, VERSION_FIELD

LIVE_SECONDS: Final = 120.0
"""RQ's own workers may be silent for 90 s."""
_TYPE: Final = re.compile(r"(?:\w+\.)*(\w+)(?::|$)")
_CODE: Final = re.compile(r": ([a-z_]{1,40})(?::|$)")


def failed_jobs(redis: Redis) -> list[Finding]:
    """How many jobs failed of late (RQ keeps them for a week), and the kind of error of the newest."""
    registry = FailedJobRegistry(QUEUE, connection=redis)
    count = int(redis.zcard(registry.key))
    if not count:
        return [ok("failed jobs", "none")]
    newest: Any = redis.zrevrange(registry.key, 0, 0)
    job = SeenJob.fetch_many([newest[0].decode()], connection=redis)[0] if newest else None
    kind, since = "unknown", ""
    if job is not None:
        result = job.latest_result()
        kind = kind_of(str(result.exc_string or "")) if result else "unknown"
        ended = job.ended_at
        since = f", {age((datetime.now(UTC) - ended).total_seconds())} ago" if ended else ""
    todo = "Nothing is lost: a job is a wake-up only. The worker's log has its lines, `boss dashboard` lists and deletes them."
    return [warn("failed jobs", f"{count}; the newest by {kind}{since}", todo)]


def kind_of(told: str) -> str:
    """The kind of an error, of RQ's text of it: what stands before the words, on the first line below the frames; else `unknown`.

    Of an error of ours the code too, which is a word of the code and never one of a message.
    """
    lines = told.rpartition("Traceback (")[2].splitlines()[1:]
    first = next((line for line in lines if line and not line.startswith(" ")), "")
    match = _TYPE.match(first)
    if match is None:
        return "unknown"
    code = _CODE.search(first) if hasattr(errors, match[1]) else None
    return f"{match[1]} ({code[1]})" if code else match[1]


def foreign_workers(redis: Redis) -> list[Finding]:
    """Live workers that take jobs of our queue and are no `boss worker`, or one of another version."""
    raw: Any = redis.smembers(QUEUE_WORKERS_KEY)
    pipe = redis.pipeline(transaction=False)
    for key in sorted(raw):
        pipe.hmget(key, VERSION_FIELD, "last_heartbeat", "death")
    versions = [version for version, beat, death in pipe.execute() if beat and not death and _seconds_since(beat) < LIVE_SECONDS]
    own = metadata.version("bossline")
    strangers = sum(1 for version in versions if version is None)
    others = sorted({version.decode("ascii", "replace") for version in versions if version} - {own})
    findings = []
    if strangers:
        todo = "End them, or give them another queue: they know neither shutdown, limits nor sweep. Or start `boss worker` instead."
        findings.append(warn("foreign workers", f"{strangers} on the queue `{QUEUE}` are no `boss worker`", todo))
    if others:
        todo = "Restart those, or upgrade this one: all should run the same version."
        findings.append(warn("foreign workers", f"some run another Bossline: {', '.join(others)}; this one is {own}", todo))
    return findings or [ok("foreign workers", "none")]


def _seconds_since(beat: bytes) -> float:
    """How long ago a heartbeat was; for ever when it cannot be read."""
    try:
        return (datetime.now(UTC) - datetime.fromisoformat(beat.decode())).total_seconds()
    except (ValueError, TypeError):
        return float("inf")
