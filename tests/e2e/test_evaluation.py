"""The conversations of `make eval`, with the played model: everything holds, also where everything is killed on the way."""

from __future__ import annotations

from typing import Final

import pytest

from tests.evaluation import case, table
from tests.evaluation.runner import Runner

EVERY: Final = 6
"""How many moments lie between two kills."""


@pytest.mark.timeout(240)
def test_every_conversation_holds() -> None:
    """What the model is shown, what its tools do and what reaches the person; the whole product is killed at some moments."""
    runner = Runner(case.read(), restarts=lambda moment: moment % EVERY == 0)
    outcomes = runner.run()
    assert table.failures(outcomes) == ""
    assert runner.restarted >= 4
