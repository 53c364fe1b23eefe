"""Fixtures of the unit tests."""

from __future__ import annotations

import pytest

from tests.support.fake_mailbox import ServerClock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ServerClock:
    """The time of the mailboxes that a test makes."""
    return ServerClock(monkeypatch)
