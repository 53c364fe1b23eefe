"""Listing what was stored by a version that kept no indexes, once: small steps, made by every worker until all is done.

How far it has come stands in Redis, and each step moves it on together with what it has listed. A worker that dies costs a step, and two
that make the same one change nothing by it. Processes of the older version may still write meanwhile: for a day after the end the newest
messages are looked at again.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterable
from typing import Any, Final

from redis.exceptions import RedisError

from shared.errors import BadInput
from shared.mailbox import keys
from shared.mailbox.calls import DAY_MS
from shared.mailbox.calls.indexes import END, Progress, list_stored, progress_from
from shared.model import codec
from shared.model.addresses import Identities
from shared.model.events import Received
from shared.observability import logs
from supervisor_worker.process.resources import WorkerResources

LOG: Final = logs.logger(__name__)
SCAN_COUNT: Final = 500
"""Keys that the server looks at in a step: a quarter of a millisecond of its time."""
BATCH: Final = 100
PAUSE_SECONDS: Final = 0.02
FOLLOW_SECONDS: Final = 30.0
OVERLAP_MS: Final = 1_000
AWAY_SECONDS: Final = 10.0
_FIELDS: Final = ("user", "sender", "index", "channel", "event")


class StoredIndexes:
    """One process's part."""

    def __init__(self, resources: WorkerResources) -> None:
        self._resources = resources
        self._redis: Any = resources.redis
        self._followed_ms = 0

    async def run(self) -> None:
        """Make steps until nothing is left to do, or the process is told to end."""
        stopping = self._resources.context.stopping
        wait: float | None = random.uniform(0, 1)  # noqa: S311 - keeps processes out of step, guards nothing
        while wait is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), wait)
            if stopping.is_set():
                return
            try:
                wait = await self.step()
            except (RedisError, OSError):  # the sweep tells of an outage
                wait = AWAY_SECONDS

    async def step(self) -> float | None:
        """One step; in how many seconds to make the next one, None when all is done. Raises RedisError."""
        progress = await self._progress()
        if progress.at == END:
            return await self._follow(progress)
        server = (await self._redis.info("server"))["run_id"]
        known, _, cursor = progress.at.partition(" ")
        # A place that one server gives means nothing to another, after a failover, say: then all is looked through again.
        cursor, names = await self._redis.scan(int(cursor) if known == server else 0, match=keys.message("*"), count=SCAN_COUNT)
        ended = f"{server} {cursor}" if int(cursor) else END
        entries = await self._entries(name.decode().removeprefix(keys.message("")) for name in names)
        await self._resources.mailbox.run(list_stored(entries, begun=progress.at, ended=ended))
        if ended == END:
            LOG.info("The messages of an older version are listed", action="indexes_complete")
        return PAUSE_SECONDS

    async def _progress(self) -> Progress:
        return progress_from({name.decode(): value.decode() for name, value in (await self._redis.hgetall(keys.INDEXING)).items()})

    async def _follow(self, progress: Progress) -> float | None:
        """What came since the listing began, or since the last look: a process of the older version does not list it."""
        seconds, micros = await self._redis.time()
        now_ms = seconds * 1000 + micros // 1000
        if not progress.listed or now_ms - progress.moved_ms > DAY_MS:
            return None
        since = (self._followed_ms or progress.began_ms) - OVERLAP_MS
        names = [name.decode() for name in await self._redis.zrangebyscore(keys.RECENT, since, "+inf")]
        for start in range(0, len(names), SCAN_COUNT):
            await self._resources.mailbox.run(list_stored(await self._entries(names[start : start + SCAN_COUNT])))
            await asyncio.sleep(PAUSE_SECONDS)
        self._followed_ms = now_ms
        return FOLLOW_SECONDS

    async def _entries(self, messages: Iterable[str]) -> list[tuple[str, str]]:
        """Each message with the names of the indexes that its record does not say."""
        names, found = list(messages), list[tuple[str, str]]()
        identities = self._resources.context.identities
        for start in range(0, len(names), BATCH):
            some = names[start : start + BATCH]
            async with self._redis.pipeline(transaction=False) as pipeline:
                for name in some:
                    pipeline.hmget(keys.message(name), *_FIELDS)
                records = await pipeline.execute()
            found += [(name, _missing(record, identities)) for name, record in zip(some, records, strict=True)]
        return found


def _missing(record: list[bytes | None], identities: Identities) -> str:
    """What a record's event says of where it is to be listed, and its own fields do not."""
    user, sender, listed, channel, content = record
    if not content or listed or (user and sender and channel == b"sms"):
        return ""
    try:
        event = codec.decode(content.decode())
    except BadInput:
        return ""
    if not isinstance(event, Received):
        return ""
    header = event.header_id
    return " ".join(
        [
            *([] if user else [identities.user(event.user)]),
            *([] if sender else [identities.sender(event.from_)]),
            *([identities.message_id(header)] if header else []),
        ]
    )
