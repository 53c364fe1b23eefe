"""The conversations of `make eval`, with the played model: everything holds, also where everything is killed on the way."""

from __future__ import annotations

from typing import Final

import pytest

from tests.evaluation import case, complaints, table
from tests.evaluation.complaints import Complaint
from tests.evaluation.runner import Runner

pytestmark = pytest.mark.timeout(240)
EVERY: Final = 6
"""How many moments lie between two kills."""


@pytest.fixture(scope="module")
def run() -> Runner:
    """All of them, held."""
    runner = Runner(case.read(), restarts=lambda moment: moment % EVERY == 0)
    runner.run()
    return runner


def test_every_conversation_holds(run: Runner) -> None:
    """What the model is shown, what its tools do and what reaches the person; the whole product is killed at some moments."""
    assert table.failures(run.outcomes) == ""
    assert run.restarted >= 4


def test_nobody_else_is_written_to(run: Runner) -> None:
    """Whatever models, mails and tools say."""
    assert run.strangers == []


@pytest.mark.parametrize("complaint", [pytest.param(each, id=each.name) for each in complaints.read()])
def test_it_cannot_be_complained_about(run: Runner, complaint: Complaint) -> None:
    """What users of other assistants complain about: every conversation about it holds. Some have tests of their own besides."""
    held = {outcome.case.name: outcome.failures for outcome in run.outcomes if outcome.case.row == complaint.row}
    assert held or complaint.tests
    assert {name: found for name, found in held.items() if found} == {}
