"""Everything is killed and started anew between any two messages of any conversation: it ends the same."""

from __future__ import annotations

import pytest

from tests.chaos.table import FULL
from tests.evaluation import case, table
from tests.evaluation.runner import Runner

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(not FULL, reason="make e2e kills at some of the moments: tests/e2e/test_evaluation.py"),
]


def test_killed_between_any_two_messages_a_conversation_ends_the_same() -> None:
    """Web, worker and Redis by kill -9 before each moment: every check holds, and each person gets the same messages."""
    undisturbed = Runner(case.read()).run()
    runner = Runner(case.read(), restarts=lambda _: True)
    killed = runner.run()
    assert table.failures(killed) == ""
    assert runner.restarted == runner.moments - 1
    for before, after in zip(undisturbed, killed, strict=True):
        assert table.without_minutes(before.got) == table.without_minutes(after.got), before.case.name
