"""Fixtures of the mailbox's rows."""

from __future__ import annotations

import pytest
from redis import Redis

from tests.integration.mailbox_desk import Desk


@pytest.fixture
def desk(redis: Redis) -> Desk:
    """An empty desk."""
    return Desk(redis)
