"""Looks for known vulnerabilities in the locked packages: runs pip-audit over everything in uv.lock, with PyPI's advisories.

pip-audit skips a package that the service does not know. Such a package has not been audited, and the result says so. A result without
vulnerabilities is kept for the day, so that linting twice asks once.
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
STAMP: Final = Path(".venv/audited")
PROBE: Final = "flask==3.1.0"  # any version: it only shows whether the service knows anything at all
TIMEOUT_SECONDS: Final = 300
ACCEPTED: Final[dict[str, str]] = {}
"""The reason why an advisory does not concern us, by the advisory's id."""


@dataclass(frozen=True, slots=True)
class Audit:
    """The service's answer: `vulnerabilities` as "package version: id", packages audited, and packages that it does not know."""

    vulnerabilities: tuple[str, ...]
    audited: int
    unknown: int


def read(answer: str) -> Audit:
    """Read pip-audit's JSON. Raises ValueError, KeyError or TypeError for anything else."""
    rows: Any = json.loads(answer)["dependencies"]
    found = [f"{row['name']} {row['version']}: {each['id']}" for row in rows for each in row.get("vulns", ()) if not _accepted(each)]
    unknown = sum("skip_reason" in row for row in rows)
    return Audit(tuple(found), len(rows) - unknown, unknown)


def _accepted(vulnerability: dict[str, Any]) -> bool:
    return bool({vulnerability["id"], *vulnerability.get("aliases", ())} & ACCEPTED.keys())


def main() -> int:
    """Audit the lock. Exit status 0 if there is no vulnerability, or no service answers (printed); 1 for a vulnerability."""
    today = f"{sha256(LOCK.read_bytes()).hexdigest()} {datetime.now(UTC):%Y-%m-%d}"
    if STAMP.is_file() and STAMP.read_text(encoding="ascii") == today:
        return 0
    probe = _ask([PROBE])
    if probe is None or not probe.audited:
        print("pip-audit: skipped: no advisory service answers here, so nothing is known about vulnerabilities")
        return 0
    found = _ask(_locked())
    if found is None or found.unknown > found.audited:
        print("pip-audit: skipped: the advisory service does not answer for what is locked")
        return 0
    for vulnerability in found.vulnerabilities:
        print(f"pip-audit: {vulnerability}")
    print(
        f"pip-audit: {found.audited} packages, {len(found.vulnerabilities)} known vulnerabilities, {found.unknown} unknown to the service"
    )
    if found.vulnerabilities:
        return 1
    STAMP.write_text(today, encoding="ascii")
    return 0


def _locked() -> list[str]:
    """Every package of the lock that this machine would install, with its version."""
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
    done = subprocess.run(export, check=True, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)  # noqa: S603 - our own tool
    return done.stdout.splitlines()


def _ask(pinned: Sequence[str]) -> Audit | None:
    """Ask the service; None if it does not answer."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write("\n".join(pinned) + "\n")
        file.flush()
        options = ["--no-deps", "--disable-pip", "--format", "json", "--desc", "off", "--progress-spinner", "off", "--timeout", "5"]
        command = [sys.executable, "-m", "pip_audit", "--requirement", file.name, *options]
        try:
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)  # noqa: S603 - our own tool
            return read(done.stdout)
        except (subprocess.TimeoutExpired, ValueError, KeyError, TypeError):
            return None


if __name__ == "__main__":
    sys.exit(main())
