"""What the server itself holds of what was erased: its append-only file, and its log of slow commands with their arguments."""

from __future__ import annotations

import time
from typing import Any, Final, Literal

from redis import Redis
from redis.exceptions import RedisError, ResponseError

REWRITE_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.1
Rewritten = Literal["rewritten", "failed", "under_way", "refused"]
_LOGS: Final = (("SLOWLOG", "RESET"), *(("COMMANDLOG", "RESET", kind) for kind in ("slow", "large-request", "large-reply")))


def rewrite_file(redis: Redis) -> Rewritten:
    """Have the server write its append-only file anew, for the old one still holds what was erased. Waits REWRITE_SECONDS at most."""
    try:
        redis.bgrewriteaof()
        end = time.monotonic() + REWRITE_SECONDS
        while time.monotonic() < end:
            state: Any = redis.info("persistence")
            if not state["aof_rewrite_in_progress"] and not state.get("aof_rewrite_scheduled"):
                return "rewritten" if state["aof_last_bgrewrite_status"] == "ok" else "failed"
            time.sleep(POLL_SECONDS)
    except (RedisError, OSError):
        return "refused"
    return "under_way"


def clear_logs(redis: Redis) -> bool:
    """Empty the server's logs of commands; False where it does not let us. A server that has no such log has nothing in it."""
    allowed = True
    for command in _LOGS:
        try:
            redis.execute_command(*command)  # type: ignore[no-untyped-call]
        except ResponseError as error:
            allowed = allowed and "unknown command" in str(error).lower()
        except (RedisError, OSError):
            allowed = False
    return allowed
