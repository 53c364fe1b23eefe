"""Puts a process's wall clock wrong by CLOCK_SKEW_SECONDS, as its host's would be. With this directory on PYTHONPATH, at its start.

`time` and `datetime` are all that the product asks. What the kernel dates (files) stays right, as if another host had written them.
"""

from __future__ import annotations

import datetime as dt
import os
import time
from typing import Any, Final, Self, cast

SKEW: Final = float(os.environ.get("CLOCK_SKEW_SECONDS", "0"))
_time, _time_ns, _datetime = time.time, time.time_ns, dt.datetime


class _AlsoTheRealOnes(type):
    """What C made is a datetime too."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _datetime)


class _Skewed(dt.datetime, metaclass=_AlsoTheRealOnes):
    """`datetime`, whose now is wrong."""

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Self:
        """The wrong time."""
        return cls.fromtimestamp(_time() + SKEW, tz)

    @classmethod
    def utcnow(cls) -> Self:
        """The wrong time, without its zone."""
        return cls.now(dt.UTC).replace(tzinfo=None)


if SKEW:
    time.time = lambda: _time() + SKEW
    time.time_ns = lambda: _time_ns() + int(SKEW * 1e9)
    dt.datetime = cast("Any", _Skewed)  # type: ignore[misc]
