"""Starting and ending a worker process: signals first, then what is cheap to check, then what is heavy to import.

Exit status: 0 told to end; 1 Redis did not come up in time; 2 the configuration or the data is not for this process.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from shared.config.settings import Settings
from shared.errors import ConfigurationError, SchemaTooNew, StorageUnavailable
from shared.observability import logs as telemetry
from shared.process.lifecycle import CANNOT_START, NO_STORAGE
from shared.runtime import open_runtime

if TYPE_CHECKING:
    from supervisor_worker.process.worker import Beside


def main(settings: Settings, role: str = "worker", *, name: str = "", beside: Beside | None = None) -> int:
    """Run a worker until it is told to end; the answer is the process's exit status.

    The standby's has a `role` and a `name` of its own, and something that runs `beside` it in its loop.
    """
    say = partial(_say, role)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _told_to_end)
    telemetry.configure(role, settings.log_format, settings.secrets)
    try:
        runtime = open_runtime(settings, "worker", say)
    except (ConfigurationError, SchemaTooNew) as error:
        say(str(error))
        return CANNOT_START
    except (StorageUnavailable, RedisError) as error:
        say(str(error))
        return NO_STORAGE
    try:
        # The SDKs take two seconds to import: here, once, and after what may refuse to start.
        import uvloop  # noqa: PLC0415

        from supervisor_worker.process.worker import work  # noqa: PLC0415

        gc.freeze()  # what was imported is not looked through again: that stood still for a tenth of a second, now and then
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work(runtime, name, beside))
    finally:
        runtime.close()
    return 0


def _say(role: str, sentence: str) -> None:
    with suppress(OSError):  # nobody may read it any more
        sys.stderr.write(f"boss {role}: {sentence}\n")
        sys.stderr.flush()


def _told_to_end(_number: int, _frame: FrameType | None) -> None:
    """Until the loop has handlers of its own there is nothing to release."""
    raise SystemExit(0)
