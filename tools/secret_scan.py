"""No secret in the repository: detect-secrets over every file that git knows.

What it finds must be a value that shows itself to be an example (`EXAMPLE`), or stand in `secrets_allowed.toml` by its hash, with the
reason. A hash there that nothing has any more is a fault too: the list must not outlive its reasons.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import default_settings

ALLOWED: Final = Path(__file__).with_name("secrets_allowed.toml")
NOT_READ: Final = (".png", ".woff2", "uv.lock", ALLOWED.name)  # pictures, fonts, and what is full of hashes
LINE_FILTER: Final = "detect_secrets.filters.regex.should_exclude_line"
NO_ROOM: Final = r"""^(?!.*?[^\s"'`(){}\[\],;<>|\\]{12})(?!(?i:.*?(?:pass|pwd|secret|token|key|auth|cred|api)))"""
"""A line in which nothing is as long as the shortest value that is no example, and which names no secret: two lines in three.
detect-secrets takes each line through 27 plugins."""
EXAMPLE: Final = re.compile(
    r"(?i)sandbox|canary|example|dummy|secret|dev-token|token|password|0{16}"  # words that no generated value holds
    r"|^.{1,11}$"  # shorter than any key that a provider gives out
    r"|^(?!begin)[a-z]+(?:[-_. ][a-z]+)*$"  # a name, or plain words
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One value that looks like a secret; `digest` is the SHA-1 by which detect-secrets names it."""

    file: str
    line: int
    kind: str
    digest: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.kind} ({self.digest})"


def allowed() -> dict[str, str]:
    """The reason of every allowed value, by its hash."""
    groups = tomllib.loads(ALLOWED.read_text(encoding="utf-8")).get("allowed", [])
    return {digest: group["reason"] for group in groups for digest in group["hashes"]}


def findings(files: Iterable[str]) -> list[Finding]:
    """What looks like a secret in these files, and not like an example."""
    found = SecretsCollection()
    with default_settings() as settings:
        settings.filters[LINE_FILTER] = {"pattern": [NO_ROOM]}
        found.scan_files(*files)
    return [
        Finding(file, secret.line_number, secret.type, secret.secret_hash)
        for file, secret in found
        if not EXAMPLE.search(secret.secret_value or "")
    ]


def main() -> int:
    """Scan the repository: 1 for a finding, or for an allowance that nothing needs."""
    listed = subprocess.run(["git", "ls-files", "-z"], check=True, capture_output=True, text=True, timeout=60)  # noqa: S607 - the developer's own git
    reasons = allowed()
    found = findings(name for name in listed.stdout.split("\0") if name and not name.endswith(NOT_READ) and Path(name).is_file())
    faults = [f"{finding}: looks like a secret" for finding in found if finding.digest not in reasons]
    faults += [f"{ALLOWED.name}: {digest}: nothing has this value any more" for digest in reasons.keys() - {each.digest for each in found}]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
