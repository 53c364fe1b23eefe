"""What a command needs before it can do anything: the settings, and a mailbox that answers now or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from redis import Redis

from boss.terminal.output import remark
from shared.config.loading import load_settings
from shared.config.settings import Settings
from shared.mailbox import Mailbox
from shared.runtime import check_schema, redis_url
from shared.storage import clients as connections

PATIENCE_SECONDS: Final = 2.0
"""A command has a person in front of it: when Redis is not up within this, saying so is the answer."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Settings and a connection that has answered."""

    settings: Settings
    redis: Redis
    mailbox: Mailbox


@contextmanager
def opened() -> Iterator[Opened]:
    """Load the settings and connect; raises ConfigurationError, StorageUnavailable or SchemaTooNew."""
    settings = load_settings()
    url = redis_url(settings)
    connections.wait_until_up(url, PATIENCE_SECONDS, remark)
    with connections.for_worker(url) as redis:
        check_schema(redis)
        yield Opened(settings, redis, Mailbox(redis))
