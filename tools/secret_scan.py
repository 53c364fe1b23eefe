"""Looks for secrets in the repository: runs detect-secrets over every file that git tracks.

A value that it finds must be recognisable as an example (`EXAMPLE`), or its hash must be in `secrets_allowed.toml` with the reason. A hash
in that file that no value has any more is an error too.
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
SKIPPED_FILES: Final = (".png", ".woff2", "uv.lock", ALLOWED.name)  # pictures, fonts, and what is full of hashes
LINE_FILTER: Final = "detect_secrets.filters.regex.should_exclude_line"
SKIPPED_LINE: Final = r"""^(?!.*?[^\s"'`(){}\[\],;<>|\\]{12})(?!(?i:.*?(?:pass|pwd|secret|token|key|auth|cred|api)))"""
"""A line without a word as long as the shortest value that is no example, and without a word that names a secret. Two lines in three are
such lines, and detect-secrets would run 27 plugins over each."""
EXAMPLE: Final = re.compile(
    r"(?i)sandbox|canary|example|dummy|secret|dev-token|token|password|0{16}"  # words that no generated value holds
    r"|^.{1,11}$"  # shorter than any key that a provider gives out
    r"|^(?!begin)[a-z]+(?:[-_. ][a-z]+)*$"  # a name, or plain words
)


@dataclass(frozen=True, slots=True)
class SecretFinding:
    """One value that looks like a secret; `digest` is the SHA-1 by which detect-secrets names it."""

    file: str
    line: int
    kind: str
    digest: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.kind} ({self.digest})"


def allowed() -> dict[str, str]:
    """The reasons of the allowed values, by hash."""
    groups = tomllib.loads(ALLOWED.read_text(encoding="utf-8")).get("allowed", [])
    return {digest: group["reason"] for group in groups for digest in group["hashes"]}


def findings(files: Iterable[str]) -> list[SecretFinding]:
    """The values in these files that look like secrets, and not like examples."""
    found = SecretsCollection()
    with default_settings() as settings:
        settings.filters[LINE_FILTER] = {"pattern": [SKIPPED_LINE]}
        found.scan_files(*files)
    return [
        SecretFinding(file, secret.line_number, secret.type, secret.secret_hash)
        for file, secret in found
        if not EXAMPLE.search(secret.secret_value or "")
    ]


def main() -> int:
    """Scan the repository. Exit status 1 for a finding, or for an allowed hash that no value has."""
    listed = subprocess.run(["git", "ls-files", "-z"], check=True, capture_output=True, text=True, timeout=60)  # noqa: S607 - the developer's own git
    reasons = allowed()
    found = findings(name for name in listed.stdout.split("\0") if name and not name.endswith(SKIPPED_FILES) and Path(name).is_file())
    problems = [f"{finding}: looks like a secret" for finding in found if finding.digest not in reasons]
    problems += [
        f"{ALLOWED.name}: {digest}: no value has this hash any more" for digest in reasons.keys() - {each.digest for each in found}
    ]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
