"""Known holes in the locked packages: pip-audit over everything in uv.lock, asking PyPI's advisories.

A package that the service does not know has not been audited, and pip-audit passes it over with a line; here that counts as
not shown, and is said. A clean answer is remembered for the day, so that linting twice asks once.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

LOCK: Final = Path("uv.lock")
REMEMBERED: Final = Path(".venv/audited")
PROBE: Final = "flask==3.1.0"  # whatever its version: it is only asked whether the service knows anything at all
SECONDS: Final = 300
ACCEPTED: Final[dict[str, str]] = {}
"""Advisory id to the written reason why it does not concern us."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What the service said: `holes` as "package version: id", how many packages were audited, and how many it does not know."""

    holes: tuple[str, ...]
    audited: int
    unknown: int


def read(answer: str) -> Audit:
    """Read pip-audit's JSON; ValueError, KeyError or TypeError for anything else."""
    rows: Any = json.loads(answer)["dependencies"]
    holes = [f"{row['name']} {row['version']}: {hole['id']}" for row in rows for hole in row.get("vulns", ()) if not _accepted(hole)]
    unknown = sum("skip_reason" in row for row in rows)
    return Audit(tuple(holes), len(rows) - unknown, unknown)


def _accepted(hole: dict[str, Any]) -> bool:
    return bool({hole["id"], *hole.get("aliases", ())} & ACCEPTED.keys())


def main() -> int:
    """Audit the lock: 0 when it is clean or cannot be audited here, which is said; 1 for a hole."""
    today = f"{sha256(LOCK.read_bytes()).hexdigest()} {datetime.now(UTC):%Y-%m-%d}"
    if REMEMBERED.is_file() and REMEMBERED.read_text(encoding="ascii") == today:
        return 0
    probe = _ask([PROBE])
    if probe is None or not probe.audited:
        print("pip-audit: skipped: no advisory service answers here, so nothing is shown about known holes")
        return 0
    found = _ask(_locked())
    if found is None or found.unknown > found.audited:
        print("pip-audit: skipped: the advisory service does not answer for what is locked")
        return 0
    for hole in found.holes:
        print(f"pip-audit: {hole}")
    print(f"pip-audit: {found.audited} packages, {len(found.holes)} known holes, {found.unknown} unknown to the service")
    if found.holes:
        return 1
    REMEMBERED.write_text(today, encoding="ascii")
    return 0


def _locked() -> list[str]:
    """Every package of the lock that this machine would install, pinned."""
    export = [
        ".uv/bin/uv",
        "export",
        "--frozen",
        "--quiet",
        "--no-emit-project",
        "--no-hashes",
        "--no-header",
        "--no-annotate",
        "--all-groups",
    ]
    done = subprocess.run(export, check=True, capture_output=True, text=True, timeout=SECONDS)  # noqa: S603 - our own tool
    return done.stdout.splitlines()


def _ask(pinned: Sequence[str]) -> Audit | None:
    """The service's answer; None when there was none."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write("\n".join(pinned) + "\n")
        file.flush()
        options = ["--no-deps", "--disable-pip", "--format", "json", "--desc", "off", "--progress-spinner", "off", "--timeout", "5"]
        command = [sys.executable, "-m", "pip_audit", "--requirement", file.name, *options]
        try:
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS)  # noqa: S603 - our own tool
            return read(done.stdout)
        except (subprocess.TimeoutExpired, ValueError, KeyError, TypeError):
            return None


if __name__ == "__main__":
    sys.exit(main())
