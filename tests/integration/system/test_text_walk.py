"""The way of a text, as docs/explanation/architecture.md lists it, is the one that the interpreter takes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.support.documents import links, target_of, text_of
from tests.support.processes import ROOT, clean_environment
from tests.support.sandbox import SandboxProcess

PAGE: Final = "docs/explanation/architecture.md"
HEADING: Final = "## A text's way, file by file"
ASKED: Final = "### Asked on the way"
MAX_CARRIERS: Final = 40


def test_the_page_lists_every_file_that_a_text_passes_and_no_other(redis_url: str, tmp_path: Path) -> None:
    """From the webhook to the request to Twilio. What fails here is the page, or a detour that nobody meant to take."""
    with SandboxProcess() as sandbox:
        environment = clean_environment(REDIS_URL=redis_url, SANDBOX_PORT=str(sandbox.port), BOSS_DATA_DIR=str(tmp_path))
        command = [sys.executable, "-m", "tests.support.text_walk"]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    passed = json.loads(done.stdout.splitlines()[-1])
    section = text_of(PAGE).partition(HEADING)[2].partition("\n## ")[0]
    listed = [target_of(PAGE, target)[0].relative_to(ROOT).as_posix() for _, target in links(section)]
    wanting, idle = [file for file in passed if file not in listed], [file for file in listed if file not in passed]
    assert (wanting, idle) == ([], [])
    assert len(listed) == len(set(listed)), "a file stands there once"


def test_at_most_forty_files_carry_a_text() -> None:
    """Those that are handed it and hand it on; others are asked one thing."""
    carriers = text_of(PAGE).partition(HEADING)[2].partition(ASKED)[0]
    assert 0 < len(links(carriers)) <= MAX_CARRIERS
