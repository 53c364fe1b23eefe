"""The library of MCP logs what servers say: none of it reaches our log, whichever of our modules loads the library first."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.processes import ROOT

SAYS = """
import logging
import {module}
logging.basicConfig(level=logging.DEBUG)
logging.getLogger("mcp.client.streamable_http").error("canary")
logging.getLogger("ours").error("heard")
"""


@pytest.mark.parametrize("module", ["supervisor_worker.mcp.sdk", "supervisor_worker.mcp.login_flow"])
def test_what_the_library_logs_is_not_in_our_log(module: str) -> None:
    """In a process that has loaded nothing else."""
    done = subprocess.run(
        [sys.executable, "-c", SAYS.format(module=module)], capture_output=True, text=True, cwd=ROOT, timeout=60, check=True
    )
    assert ("canary" in done.stderr, "heard" in done.stderr) == (False, True)
