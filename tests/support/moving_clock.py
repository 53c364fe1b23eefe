"""`python -m tests.support.moving_clock web|worker|boss COMMAND`: a program by a clock that the tester moves, so that days pass at once.

The product has no clock to be set: it goes by the server's TIME, and a web process also notes when it took a webhook. Here the scripts are
sent to the server with an offset added to its TIME, and the web process adds the same to its own. What Redis itself lets expire, and what
RQ notes, stays by the real time.
"""

from __future__ import annotations

import os
import runpy
import sys
import time
from pathlib import Path
from struct import Struct
from typing import Final

from redis import Redis

from shared.config.loading import load_settings
from shared.mailbox import scripts
from shared.observability import logs
from shared.process.lifecycle import guarded

KEY: Final = "test:clock_ahead"
"""How far the scripts' clock is ahead of the server's TIME, in ms."""
FILE: Final = "MOVING_CLOCK"
"""The variable that names the file with the same for a web process."""
_SECONDS: Final = Struct("d")
_BEGIN, _END = "-- clock: begin", "-- clock: end"
_NOW: Final = f"""
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000) + (tonumber(redis.call('GET', '{KEY}')) or 0)
end
"""


class MovingClock:
    """The tester's end: moves the clock of all programs of one installation, forward only."""

    def __init__(self, file: Path) -> None:
        """At the real time."""
        self._file = file
        self._ahead = 0.0
        self._write()

    @property
    def settings(self) -> dict[str, str]:
        """For the programs' environment."""
        return {FILE: str(self._file)}

    def now(self) -> float:
        """Seconds of the epoch, by the moved clock."""
        return time.time() + self._ahead

    def move_to(self, moment: float, redis: Redis) -> None:
        """Let it be `moment`, unless it is later already."""
        self._ahead = max(self._ahead, moment - time.time())
        self._write()
        redis.set(KEY, round(self._ahead * 1000))

    def _write(self) -> None:
        self._file.write_bytes(_SECONDS.pack(self._ahead))


def move_scripts() -> None:
    """Let this process send its scripts with the moved clock."""
    source = scripts._source

    def moved(name: str) -> str:
        text = source(name)
        if name != "common":
            return text
        before, _, rest = text.partition(_BEGIN)
        return f"{before}{_NOW}{rest.partition(_END)[2]}"

    scripts._source = moved  # type: ignore[assignment]


def _move_time() -> None:
    real, file = time.time, Path(os.environ[FILE])
    time.time = lambda: real() + float(_SECONDS.unpack(file.read_bytes())[0])


def _web() -> int:
    from webhook_api import __main__, server  # noqa: PLC0415 - a worker has none of it

    load = server.load

    def moved(*arguments: object) -> object:  # in the process that serves, a child of this one
        _move_time()
        return load(*arguments)  # type: ignore[arg-type]

    server.load = moved  # type: ignore[assignment]
    return guarded(__main__.main)


def _worker() -> int:
    from supervisor_worker.process import pool  # noqa: PLC0415 - a web process has none of it

    settings = load_settings()
    logs.configure("worker", settings.log_format)
    return pool.main(settings, 1)


def _boss() -> int:
    sys.argv[:2] = ["boss"]
    runpy.run_module("boss.main", run_name="__main__", alter_sys=False)
    return 0


if __name__ == "__main__":
    move_scripts()
    sys.exit({"web": _web, "worker": _worker, "boss": _boss}[sys.argv[1]]())
