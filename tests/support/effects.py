"""The effects of tools, run for themselves: as the script that stores a step runs them, without a turn around."""

from __future__ import annotations

import json
from typing import Any, Final, Protocol, cast

from redis import Redis

from shared.mailbox.scripts import together

PERSON: Final = "p-1"
USER: Final = "u-1"
LIBRARIES: Final = ("common", "people", "effects", "ringing", "reminders")
_RUN: Final = """
local context = cjson.decode(ARGV[2])
context.t = now()
return cjson.encode(EFFECTS[ARGV[1]](context, cjson.decode(ARGV[3])))
"""


class Evaluates(Protocol):
    """Runs a text of Lua."""

    def eval(self, text: str, *sent: str) -> Any:
        """Its answer."""
        ...


class ServerTime:
    """By the server's own clock."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis

    def eval(self, text: str, *sent: str) -> Any:
        """Its answer."""
        return cast("Any", self.redis.eval(text, 0, *sent))


def run_effect(scripts: Evaluates, kind: str, args: dict[str, Any], *, call: str = "call-1", **context: Any) -> dict[str, Any]:
    """An effect of the turn t-1; `context` may name another person, or say that it is marked."""
    given = {
        "person": PERSON, "user": USER, "conv": "c-1", "turn": "t-1", "call": call, "marked": False, "channel": "sms", "zone": "UTC",
        **context,
    }  # fmt: skip
    text = together(*LIBRARIES) + _RUN
    result: dict[str, Any] = json.loads(scripts.eval(text, kind, json.dumps(given), json.dumps(args)))
    return result
