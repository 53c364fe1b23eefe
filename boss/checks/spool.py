"""What the web process of this machine keeps on disk while Redis is away. The directory itself is read: web may be dead."""

from __future__ import annotations

from typing import Final

from boss.checks.result import Finding, fail, ok, warn
from boss.terminal.output import age
from shared import spool_layout
from shared.config.settings import Settings
from shared.spool_layout import MIB

NAME: Final = "spool"


def spool(settings: Settings) -> list[Finding]:
    """Whether anything waits or was set aside, and whether there is room. Looks at this machine alone."""
    directory = settings.spool_dir
    try:
        found, kept = spool_layout.scan(directory), spool_layout.scan(directory, directory=spool_layout.UNREPLICATED)
    except OSError as error:
        todo = "Give this user the directory, or set BOSS_DATA_DIR to another."
        return [fail(NAME, f"{directory} cannot be read: {error.strerror}", todo)]
    room, aside = spool_layout.free_bytes(settings, found.bytes + kept.bytes), spool_layout.count_aside(directory)
    waits = _waiting(found.depth, spool_layout.age_seconds(directory, found.oldest))
    findings = []
    if aside:
        aside_dir = directory / spool_layout.ASIDE
        todo = f"The web process's log says why; what is moved from {aside_dir} to {spool_layout.WAITING} is tried again."
        findings.append(fail(NAME, f"{aside} entries could not be replayed and are set aside", todo))
    if not room:
        todo = "Free space on that disk, or correct SPOOL_MAX_MB and SPOOL_MIN_FREE_MB: without Redis, webhooks get 503."
        findings.append(fail(NAME, f"{waits}; no room for more", todo))
    elif found.depth:
        todo = "They go on when Redis is back and `boss web` runs; if both are, look at the web process's log."
        findings.append(warn(NAME, f"{waits}; room for {room // MIB} MiB more", todo))
    if kept.depth:
        findings.append(
            _unreplicated(
                kept.depth, spool_layout.age_seconds(directory, kept.oldest, spool_layout.UNREPLICATED), settings.insurance_seconds
            )
        )
    return findings or [ok(NAME, f"{waits}; room for {room // MIB} MiB")]


def _unreplicated(depth: int, seconds: float, hold: float) -> Finding:
    """Some are there for a minute after every stumble of a replica; that they stay is what somebody should look at."""
    detail = f"{depth} messages that Redis has and no replica confirmed are kept on disk, the oldest for {age(seconds)}"
    if seconds < 2 * hold:
        return ok(NAME, detail)
    return warn(NAME, detail, "Look at the replicas of Redis: are they connected, do they keep up?")


def _waiting(depth: int, seconds: float) -> str:
    return f"{depth} entries wait for Redis, the oldest for {age(seconds)}" if depth else "empty"
