"""The turns of a worker with the patience of an installation: a test that needs other times has an `environment` of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis

from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment
from tests.support.webhook_client import Web, opened

PATIENT = {"LEASE_SECONDS": 60, "CLAUDE_TIMEOUT_SECONDS": 20, "SEND_TIMEOUT_SECONDS": 10}


@pytest.fixture
def environment(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[TurnEnvironment]:
    """Without reports: what became of a reply is not its tests' matter."""
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    found = TurnEnvironment(redis, redis_url, sandbox, dict(PATIENT))
    yield found
    found.close()


@pytest.fixture
def web(redis_url: str) -> Iterator[Web]:
    """The webhooks on the same server."""
    with opened(redis_url, max_open_messages=1_000) as running:
        yield running
