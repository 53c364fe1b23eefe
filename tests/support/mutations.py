"""The table of the mailbox's rules and how each is broken: `tests/integration/mailbox/mutations.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Any, Final

import pytest

from tests.support.processes import ROOT

TABLE: Final = ROOT / "tests" / "integration" / "mailbox" / "mutations.toml"


@dataclass(frozen=True)
class Broken:
    """One rule taken away; see the table."""

    promise: str
    script: str
    old: str
    new: str
    row: str
    case: tuple[Any, ...] = ()
    walk: int = 0
    tool_walk: int = 0


def table() -> list[Broken]:
    """All rules."""
    text = TABLE.read_text(encoding="utf-8")
    return [Broken(**{**entry, "case": tuple(entry.get("case", ()))}) for entry in tomllib.loads(text)["broken"]]


def named(rules: list[Broken]) -> list[Any]:
    """Rules as parameters with readable ids."""
    return [pytest.param(broken, id=f"{broken.script}: {broken.promise.removeprefix('† ')}") for broken in rules]
