"""The start and end of a worker process: signal handlers first, then the cheap checks, then the heavy imports.

Exit status: 0 told to end; 1 Redis did not come up in time; 2 the configuration or the data is not for this process.
"""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

from shared.config.settings import Settings
from shared.observability import logs
from shared.process import start_errors
from shared.runtime import open_runtime

if TYPE_CHECKING:
    from supervisor_worker.process.worker import Beside


def main(settings: Settings, role: str = "worker", *, name: str = "", beside: Beside | None = None) -> int:
    """Run a worker until it is told to end; the answer is the process's exit status.

    The standby's worker has a `role` and a `name` of its own, and its control pipe runs `beside` it in its loop.
    """
    say = start_errors.stderr_writer(role)
    start_errors.exit_on_signals()
    logs.configure(role, settings.log_format, settings.secrets)
    try:
        runtime = open_runtime(settings, "worker", say)
    except start_errors.START_ERRORS as error:
        return start_errors.report(error, say)
    try:
        # The SDKs take two seconds to import: only here, after the checks that may end the process.
        import uvloop  # noqa: PLC0415

        from supervisor_worker.process.worker import work  # noqa: PLC0415

        gc.freeze()  # the collector does not scan the imports again: now and then that took a tenth of a second
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work(runtime, name, beside))
    finally:
        runtime.close()
    return 0
