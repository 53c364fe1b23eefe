"""The standby at the product's own times."""

from __future__ import annotations

import time

import pytest

from shared.config.settings import Settings
from tests.chaos.change_overs import Record, killed_and_answered, report, watches
from tests.chaos.table import FULL
from tests.support.installation import Installation

CHANGES = 6


@pytest.mark.skipif(not FULL, reason="a minute for two change-overs: make chaos")
@pytest.mark.timeout(600)
def test_at_the_default_times_the_next_text_is_answered_within_20_seconds(record_property: Record) -> None:
    """Real workers, killed at any moment between two heartbeats; from the kill to the answer at the provider."""
    took: list[float] = []
    with Installation(times={}) as installation:
        installation.standby()
        asker = installation.person()
        for change in range(CHANGES):
            workers = installation.fork(2)
            watches(installation)
            installation.text(asker, f"before {change}")
            installation.wait_for_replies(asker, 2 * change + 1, 30)
            time.sleep(5 + change)  # the kill's moment between two heartbeats is what is varied
            took.append(killed_and_answered(installation, workers, asker, change))
        installation.quiet()
        assert installation.assert_one_copy(asker) == [f"{word} {change}" for change in range(CHANGES) for word in ("before", "after")]
    report(record_property, took, 2 * CHANGES)
    assert Settings.model_fields["standby_after_seconds"].default == 15
    assert max(took) < 20
