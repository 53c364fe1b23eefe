"""The recovery at the default times: what a user waits when a worker dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.settings import Settings
from tests.support.nursery import Plans
from tests.support.whole import Whole


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_at_the_default_lease_the_next_line_comes_within_62_seconds(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """Killed while Claude thinks; a worker stands by, and takes over when the lease has ended."""
    lease_ms = Settings.model_fields["lease_seconds"].default * 1000
    assert lease_ms == 60_000
    with Whole(times={}, CRASH_DIR=str(tmp_path)) as whole:
        whole.fork(2)
        whole.sandbox.knobs(anthropic={"latency_seconds": 5})
        person = whole.person()
        conversation = whole.conversation(person)
        whole.text(person, "patience")
        whole.wait_for_questions(person)
        killed = whole.now_ms()
        os.kill(Plans(tmp_path).holder(conversation), signal.SIGKILL)
        whole.sandbox.knobs(anthropic={"latency_seconds": 0})
        whole.wait_for_lines(conversation, "answered", seconds=75)
        waited = next(line.at_ms for line in whole.lines(conversation) if line.at_ms > killed) - killed
        record_property("recovery_ms", waited)
        assert waited <= lease_ms + 2000
        whole.quiet()
        assert whole.assert_one_copy(person) == ["patience"]
