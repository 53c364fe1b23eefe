"""Fixtures of the mailbox's rows."""

from __future__ import annotations

import pytest
from redis import Redis

from tests.support.mailbox_driver import MailboxDriver


@pytest.fixture
def driver(redis: Redis) -> MailboxDriver:
    """An empty desk."""
    return MailboxDriver(redis)
