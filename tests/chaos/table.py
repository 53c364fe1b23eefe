"""What the faults did, as one table at the end of the run: fault, runs, lost, duplicate, marked, out of order, recovery.

A test asks for the fixture `table` and adds what it saw; rows of one fault are added up, whichever process ran them. What a
machine cannot show is a row too, which says why. BOSSLINE_CHAOS_TABLE names a file that gets the same rows as JSON.
"""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest

FULL: Final = os.environ.get("BOSSLINE_CHAOS") == "full"
"""`make chaos` and not `make e2e`."""
PROPERTY: Final = "fault"
"""The name under which a row, as JSON, leaves its test and the process that ran it."""
COLUMNS: Final = ("runs", "lost", "duplicate", "marked", "disorder", "p50 s", "max s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What became of the messages that one fault met; recoveries in seconds. `skipped` says why it could not be shown here."""

    fault: str
    runs: int = 0
    lost: int = 0
    duplicates: int = 0
    marked: int = 0
    disorder: int = 0
    recoveries: tuple[float, ...] = ()
    note: str = ""
    skipped: str = ""

    @property
    def clean(self) -> bool:
        """Nothing lost, nothing twice without its mark, nothing out of order."""
        return not (self.lost or self.duplicates or self.disorder)

    def plus(self, other: Row) -> Row:
        """Both of one fault together; what was shown somewhere was shown."""
        return Row(
            fault=self.fault,
            runs=self.runs + other.runs,
            lost=self.lost + other.lost,
            duplicates=self.duplicates + other.duplicates,
            marked=self.marked + other.marked,
            disorder=self.disorder + other.disorder,
            recoveries=self.recoveries + other.recoveries,
            note="; ".join(dict.fromkeys(note for note in (self.note, other.note) if note)),
            skipped=(self.skipped or other.skipped) if self.runs + other.runs == 0 else "",
        )

    @property
    def cells(self) -> tuple[str, ...]:
        """What the columns show of it."""
        counts = (self.runs, self.lost, self.duplicates, self.marked, self.disorder)
        times = (f"{statistics.median(self.recoveries):.2f}", f"{max(self.recoveries):.2f}") if self.recoveries else ("", "")
        return (*map(str, counts), *times)


class Table:
    """One test's hand in the table."""

    def __init__(self, properties: list[tuple[str, Any]]) -> None:
        """`properties` are the test's, which pytest and xdist carry to its report."""
        self._properties = properties
        self._failures: list[str] | None = None

    @contextmanager
    def all_rows(self) -> Iterator[list[str]]:
        """Within it every row is entered before the test fails for any; the list takes what else is wrong."""
        self._failures = failures = list[str]()
        try:
            yield failures
        finally:
            self._failures = None
        if failures:
            pytest.fail("\n".join(failures), pytrace=False)

    def add(
        self,
        *,
        fault: str,
        runs: int,
        lost: int = 0,
        duplicates: int = 0,
        disorder: int = 0,
        recoveries: Sequence[float] = (),
        marked: int = 0,
        note: str = "",
        details: Iterable[str] = (),
    ) -> None:
        """Enter what was seen, and only then fail the test unless it is clean; `details` go into its failure.

        `runs` are the times that the fault struck, `lost` messages that nothing answers, `duplicates` second copies without a
        mark, `marked` those with one, `disorder` inversions, `recoveries` seconds by the server's clock; `note` is what else was
        measured.
        """
        row = Row(
            fault=fault, runs=runs, lost=lost, duplicates=duplicates, marked=marked, disorder=disorder,
            recoveries=tuple(recoveries), note=note,
        )  # fmt: skip
        self._enter(row)
        if row.clean:
            return
        failure = "\n".join([f"{fault}: {lost} lost, {duplicates} twice, {disorder} out of order", *details])
        if self._failures is None:
            pytest.fail(failure, pytrace=False)
        self._failures.append(failure)

    def skip(self, fault: str, why: str) -> NoReturn:
        """Say why this machine cannot show it, and end the test there."""
        self._enter(Row(fault=fault, skipped=why))
        pytest.skip(f"{fault}: {why}")

    def _enter(self, row: Row) -> None:
        self._properties.append((PROPERTY, json.dumps(dataclasses.asdict(row))))


def rows(reports: Iterable[pytest.TestReport]) -> list[Row]:
    """One row for each fault, in the order of the tests' names."""
    found: dict[str, Row] = {}
    for report in sorted(reports, key=lambda report: report.nodeid):
        for name, value in report.user_properties:
            if name == PROPERTY:
                row = _from_json(str(value))
                found[row.fault] = found[row.fault].plus(row) if row.fault in found else row
    return list(found.values())


def lines(table: Sequence[Row]) -> list[str]:
    """The table as text, and a line that says what it shows."""
    width = max(len("fault"), *(len(row.fault) for row in table)) + 2
    shown = [row for row in table if not row.skipped]
    text = [_aligned(width, "fault", COLUMNS)]
    text += [
        f"{row.fault:<{width}}skipped: {row.skipped}" if row.skipped else _aligned(width, row.fault, row.cells) + f"   {row.note}".rstrip()
        for row in table
    ]
    clean = sum(row.clean for row in shown)
    return [*text, f"{len(shown)} faults shown, {clean} without loss, second copy or disorder; {len(table) - len(shown)} not shown"]


def summarize(terminalreporter: Any) -> None:
    """Print the table at the end of the run, and write it where BOSSLINE_CHAOS_TABLE says."""
    ended = [report for kind in ("passed", "failed", "error", "skipped") for report in terminalreporter.getreports(kind)]
    # A report of the setup repeats in the call's what it carries, unless it is the test's last.
    table = rows(report for report in ended if report.when == "call" or (report.when == "setup" and not report.passed))
    if not table:
        return
    terminalreporter.section("what the faults did (recovery in seconds)")
    for line in lines(table):
        terminalreporter.write_line(line)
    if path := os.environ.get("BOSSLINE_CHAOS_TABLE"):
        Path(path).write_text(json.dumps([dataclasses.asdict(row) for row in table], indent=1) + "\n")


def _from_json(text: str) -> Row:
    fields = json.loads(text)
    return Row(**{**fields, "recoveries": tuple(fields["recoveries"])})


def _aligned(width: int, first: str, cells: Iterable[str]) -> str:
    return f"{first:<{width}}" + "".join(f"{cell:>11}" for cell in cells)
