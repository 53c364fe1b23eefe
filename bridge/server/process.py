"""Starting and ending the bridge's process.

Exit status: 0 told to end; 1 Redis did not come up in time; 2 the configuration or the data is not for this process.
"""

from __future__ import annotations

import asyncio

from bridge.server.server import run
from shared.config.settings import Settings
from shared.observability import logs
from shared.process import start_errors
from shared.runtime import open_runtime


def main(settings: Settings) -> int:
    """Serve clients until told to end; the answer is the process's exit status."""
    say = start_errors.stderr_writer("bridge")
    start_errors.exit_on_signals()
    logs.configure("bridge", settings.log_format, settings.secrets)
    try:
        runtime = open_runtime(settings, "bridge", say)
        try:
            asyncio.run(run(runtime))
        finally:
            runtime.close()
    except start_errors.START_ERRORS as error:
        return start_errors.report(error, say)
    return 0
