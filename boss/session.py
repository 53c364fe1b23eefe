"""What a command of the operator works with: the settings, a mailbox that has answered, and the persons of the users file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from redis import Redis

from boss.terminal.output import remark
from shared.config.loading import load_settings
from shared.config.settings import Settings
from shared.mailbox import Mailbox
from shared.operations.people import People
from shared.runtime import check_schema, redis_url
from shared.storage import clients

PATIENCE_SECONDS: Final = 2.0
"""A command has a person in front of it: when Redis is not up within this, saying so is the answer."""


@dataclass(frozen=True)
class Session:
    """The settings, and a connection to Redis that has answered."""

    settings: Settings
    redis: Redis
    mailbox: Mailbox

    @cached_property
    def people(self) -> People:
        """The persons of the users file. Raises RedisError."""
        return People.load(self.settings, self.redis)


@contextmanager
def open_session() -> Iterator[Session]:
    """Load the settings and connect; raises ConfigurationError, StorageUnavailable or SchemaTooNew."""
    settings = load_settings()
    url = redis_url(settings)
    clients.wait_until_up(url, PATIENCE_SECONDS, remark)
    with clients.for_worker(url) as redis:
        check_schema(redis)
        yield Session(settings, redis, Mailbox(redis))
