"""`python -m tests.support.short_hours_web`: the web process, for whom an hour has HOUR_MS milliseconds where it counts who wrote how much.

That is in one script: turns of an hour and of a day, and the silence after an echo, a sixth of an hour. How soon a robot answers counts in
seconds as ever, for its program and ours are no faster than they are.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from shared.mailbox import scripts
from shared.process.lifecycle import guarded
from webhook_api import __main__

WINDOWS: Final = {
    "local HOUR, DAY = 3600000, 86400000\n": "local HOUR, DAY = {hour}, {day}\n",
    "SILENCE, AT_ONCE, WITHIN_SECONDS = 3, 600000, 2000, 12000\n": "SILENCE, AT_ONCE, WITHIN_SECONDS = 3, {silence}, 2000, 12000\n",
}
"""The lines of `accept.lua` that say how long its windows are, and what stands there in their place."""


def shortened(text: str, hour_ms: int) -> str:
    """A script's text with other windows; AssertionError where it says theirs in other words."""
    for line, other in WINDOWS.items():
        assert text.count(line) == 1, f"accept.lua has no longer {line!r}"
        text = text.replace(line, other.format(hour=hour_ms, day=24 * hour_ms, silence=hour_ms // 6))
    return text


def main() -> int:
    """Shorten the windows before any script is made, and be the web process."""
    lua, hour_ms = scripts.lua, int(os.environ["HOUR_MS"])
    scripts.lua = lambda name: shortened(lua(name), hour_ms) if name == "accept" else lua(name)
    return guarded(__main__.main)


if __name__ == "__main__":
    sys.exit(main())
