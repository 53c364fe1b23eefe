"""Starting and ending the bridge's process.

Exit status: 0 told to end; 1 Redis did not come up in time; 2 the configuration or the data is not for this process.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from types import FrameType

from redis.exceptions import RedisError

from bridge.server.server import run
from shared.config.settings import Settings
from shared.errors import ConfigurationError, SchemaTooNew, StorageUnavailable
from shared.observability import logs as telemetry
from shared.process.lifecycle import CANNOT_START, NO_STORAGE
from shared.runtime import open_runtime


def main(settings: Settings) -> int:
    """Serve clients until told to end; the answer is the process's exit status."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _told_to_end)
    telemetry.configure("bridge", settings.log_format, settings.secrets)
    try:
        runtime = open_runtime(settings, "bridge", _say)
        try:
            asyncio.run(run(runtime))
        finally:
            runtime.close()
    except (ConfigurationError, SchemaTooNew) as error:
        _say(str(error))
        return CANNOT_START
    except (StorageUnavailable, RedisError) as error:
        _say(str(error))
        return NO_STORAGE
    return 0


def _say(sentence: str) -> None:
    with suppress(OSError):  # nobody may read it any more
        sys.stderr.write(f"boss bridge: {sentence}\n")
        sys.stderr.flush()


def _told_to_end(_number: int, _frame: FrameType | None) -> None:
    """Until the loop has handlers of its own there is nothing to tell anybody."""
    raise SystemExit(0)
