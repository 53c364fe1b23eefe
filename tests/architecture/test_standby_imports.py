"""What a standby that only watches loads."""

from __future__ import annotations

import json
import subprocess
import sys

SCRIPT = """
import json, sys
import boss.main, boss.commands.processes, supervisor_worker.standby
print(json.dumps(sorted(sys.modules)))
"""
HEAVY = {"anthropic", "twilio", "sendgrid", "httpx2", "aiohttp", "requests", "flask", "websockets", "anyio"}


def test_a_standby_that_watches_loads_nothing_heavy() -> None:
    """It runs for months beside the web process: the SDKs, and the code that uses them, come with the worker that it starts."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=30, check=True)
    loaded = set(json.loads(done.stdout))
    assert not loaded & HEAVY
    ours = {name for name in loaded if name.startswith("supervisor_worker.") and not name.startswith("boss")}
    parts = ("process", "child_worker", "worker_monitor")
    assert ours == {"supervisor_worker.standby", *(f"supervisor_worker.standby.{name}" for name in parts)}
