"""The table of the fault suite: what a test enters is what the run's end shows, whichever process ran it, and a loss fails."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chaos.table import Table, lines, rows


def report(nodeid: str, properties: list[tuple[str, Any]]) -> pytest.TestReport:
    """A test's report as xdist brings it from the process that ran the test."""
    there = pytest.TestReport(nodeid, (nodeid, 0, nodeid), {}, "passed", None, "call", user_properties=properties)
    return pytest.TestReport._from_json(there._to_json())


def test_rows_of_one_fault_are_added_up_over_processes() -> None:
    first: list[tuple[str, Any]] = [("recovery_ms", 3)]
    second: list[tuple[str, Any]] = []
    Table(first).add(fault="kill", runs=25, marked=1, recoveries=[3.0, 1.0])
    Table(second).add(fault="kill", runs=25, recoveries=[2.5])
    found = rows([report("test_b", second), report("test_a", first)])
    assert [(row.fault, row.runs, row.marked, row.recoveries, row.clean) for row in found] == [("kill", 50, 1, (3.0, 1.0, 2.5), True)]
    head, line, total = lines(found)
    assert head.split() == ["fault", "runs", "lost", "duplicate", "marked", "disorder", "p50", "s", "max", "s"]
    assert line.split() == ["kill", "50", "0", "0", "1", "0", "2.50", "3.00"]
    assert total == "1 faults shown, 1 without loss, second copy or disorder; 0 not shown"


@pytest.mark.parametrize("seen", [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_a_loss_a_second_copy_or_an_inversion_fails_the_test_and_stands_in_the_table(seen: tuple[int, int, int]) -> None:
    lost, duplicates, disorder = seen
    entered: list[tuple[str, Any]] = []
    with pytest.raises(pytest.fail.Exception, match="the story"):
        Table(entered).add(fault="kill", runs=1, lost=lost, duplicates=duplicates, disorder=disorder, details=["the story"])
    found = rows([report("test", entered)])
    assert not found[0].clean
    assert lines(found)[-1].startswith("1 faults shown, 0 without")


def test_what_could_not_be_shown_says_why_and_counts_as_not_shown() -> None:
    entered: list[tuple[str, Any]] = []
    with pytest.raises(pytest.skip.Exception):
        Table(entered).skip("cut off", "no network namespace here")
    _, line, total = lines(rows([report("test", entered)]))
    assert line.split(maxsplit=2)[2] == "skipped: no network namespace here"
    assert total.endswith("0 faults shown, 0 without loss, second copy or disorder; 1 not shown")


def test_all_rows_are_entered_before_the_test_fails_for_one() -> None:
    entered: list[tuple[str, Any]] = []
    with pytest.raises(pytest.fail.Exception) as failed:
        enter_three(Table(entered))
    assert str(failed.value).splitlines() == [
        "first: 1 lost, 0 twice, 0 out of order",
        "also wrong",
        "third: 0 lost, 2 twice, 0 out of order",
    ]
    assert [row.fault for row in rows([report("test", entered)])] == ["first", "second", "third"]


def enter_three(table: Table) -> None:
    with table.all_rows() as failures:
        table.add(fault="first", runs=1, lost=1)
        failures.append("also wrong")
        table.add(fault="second", runs=1)
        table.add(fault="third", runs=1, duplicates=2)
