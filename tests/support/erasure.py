"""Erasing somebody as `boss users erase` does, without the command."""

from __future__ import annotations

from redis import Redis

from shared.mailbox.call import DAY_MS
from shared.operations.erase import Erased, ErasureRequest, erase_records
from shared.operations.person_records import Whose


def erase_person(redis: Redis, entry: str, user: str, *, request_ms: int = 1_000, senders: tuple[str, ...] = ()) -> Erased:
    """What went; `user` is what Redis has for the id of the person's entry."""
    request = ErasureRequest(Whose(entry, user, senders), (), (), request_ms, 90 * DAY_MS)
    return erase_records(redis, request, waiting=lambda _: None)
