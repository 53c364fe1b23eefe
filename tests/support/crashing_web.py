"""`python -m tests.support.crashing_web`: the web process as `boss web` starts it, which dies where the plans in CRASH_DIR say.

The server of the webhooks is a child of this process; what kills it takes both, as when memory runs out for the whole of a unit.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from shared.process.lifecycle import guarded
from tests.support.fault_points import FaultPoints, arm_web
from webhook_api import __main__, server
from webhook_api.http.rsgi import Application


def main() -> int:
    """Arm the serving process, once it is there, and be the web process."""
    load = server.load

    def armed(*arguments: Any) -> Application:
        arm_web(FaultPoints(Path(os.environ["CRASH_DIR"]), group=True))
        return load(*arguments)

    server.load = armed  # type: ignore[assignment]
    return guarded(__main__.main)


if __name__ == "__main__":
    sys.exit(main())
