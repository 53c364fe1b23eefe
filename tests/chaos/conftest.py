"""One running Bossline per xdist worker for all the chaos, emptied for each test; and the tables of what the faults did."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.chaos.table import Table, summarize
from tests.support.installation import Installation
from tests.support.load import AWAY, Report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of the faults, and the reports of the loads, one line each."""
    summarize(terminalreporter)
    ended = [test for kind in ("passed", "failed") for test in terminalreporter.getreports(kind) if test.when == "call"]
    found = [Report(**json.loads(str(value))) for test in ended for name, value in test.user_properties if name == AWAY]
    if found:
        terminalreporter.section("what became of ten messages a second (times of webhooks in ms)")
        for line in (Report.head(), *(report.row() for report in found)):
            terminalreporter.write_line(line)


@pytest.fixture
def table(request: pytest.FixtureRequest) -> Table:
    """Where a test enters what its fault did."""
    return Table(request.node.user_properties)


@pytest.fixture(scope="session")
def shared_whole() -> Iterator[Installation]:
    """The processes that live as long as the run."""
    with Installation() as running:
        yield running


@pytest.fixture
def installation(shared_whole: Installation) -> Iterator[Installation]:
    """The whole system with an empty mailbox and no worker yet."""
    shared_whole.reset()
    yield shared_whole
    shared_whole.end_workers()
