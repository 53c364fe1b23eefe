"""What users of other assistants have complained about, row by row, and what shows that it cannot happen here."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.evaluation.case import Case

FILE: Final = Path(__file__).parent / "complaints.toml"


@dataclass(frozen=True)
class Complaint:
    """One row: its number, what was complained about, and the tests beside the conversations that show it to be impossible."""

    row: int
    what: str
    tests: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As the name of a test: `01-one-persons-private-memory-is-answered-in-a-group`."""
        return f"{self.row:02}-{re.sub(r'[^a-z0-9]+', '-', self.what.lower().replace(chr(39), '')).strip('-')}"

    def conversations(self, cases: list[Case]) -> list[Case]:
        """Those that show it."""
        return [each for each in cases if each.row == self.row]


def read() -> list[Complaint]:
    """All of them, in order."""
    rows = tomllib.loads(FILE.read_text())["complaint"]
    return [Complaint(each["row"], each["what"], tuple(each.get("tests", ()))) for each in rows]
