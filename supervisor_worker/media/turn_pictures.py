"""The pictures of one turn: which files are fetched, how many, how large together, and how long that may take.

A file that cannot be fetched never fails a turn: the model is told that there was one, and the log says why it is missing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Final

from shared.config.settings import Settings
from shared.model.events import MAX_MEDIA, Media, Received
from shared.observability import logs
from supervisor_worker.media.download import Downloads, MediaUnavailable
from supervisor_worker.media.image_header import MAX_BYTES, NotAPicture, Picture, read_picture

MAX_TURN_BYTES: Final = 10_000_000
"""Of one turn's files together."""
MAX_HELD_BYTES: Final = 40_000_000
"""Of the files of all turns of a process. As base64, and in the request, they take three times as much memory."""

FileKey = tuple[str, str]
"""A file by its message and itself: `Received.id`, `Media.id`."""
Pictures = Mapping[FileKey, Picture]
WantedFile = tuple[Received, Media]
LOG: Final = logs.logger(__name__)
NO_PICTURES: Final[Pictures] = MappingProxyType({})


class ByteBudget:
    """A number of bytes that many share: reserved before they are read, released when nobody needs them any more."""

    def __init__(self, size: int) -> None:
        self.free = size
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def reserve(self, amount: int) -> None:
        """Wait until `amount` bytes are free; the caller bounds the time."""
        while self.free < amount:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter
        self.free -= amount

    def release(self, amount: int) -> None:
        """Free bytes; everybody who waits looks again, because a smaller amount may fit where a larger one does not."""
        self.free += amount
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)


class PictureLoader:
    """Loads the pictures of turns: one loader for a worker process."""

    def __init__(
        self,
        downloads: Downloads,
        *,
        seconds: float,
        retry_waits: Sequence[float],
        retry_seconds: float,
        memory_bytes: int = MAX_HELD_BYTES,
    ) -> None:
        """`seconds` is for all pictures of a turn together, with the waiting for memory.

        A transient failure is retried after each of the `retry_waits`, until `retry_seconds` have passed since the first request.
        """
        self._downloads = downloads
        self._seconds = seconds
        self._retry_waits = tuple(retry_waits)
        self._retry_seconds = retry_seconds
        self._memory = ByteBudget(memory_bytes)

    @classmethod
    def of(cls, settings: Settings) -> PictureLoader:
        """As the settings say: half a lease for a turn, so that one whose pictures hang is still far from losing its lease.

        At the default MEDIA_TIMEOUT_SECONDS the waits are 1 s and 3 s, and nothing is retried after 10 s.
        """
        timeout = settings.media_timeout_seconds
        return cls(
            Downloads.of(settings), seconds=settings.lease_seconds / 2, retry_waits=(timeout / 10, timeout * 3 / 10), retry_seconds=timeout
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._downloads.aclose()

    @asynccontextmanager
    async def pictures(self, events: Sequence[Received]) -> AsyncIterator[Pictures]:
        """The pictures of a turn's messages that can be shown. Their memory counts as used while the block runs."""
        wanted = [(event, media) for event in events for media in event.media if media.may_be_picture]
        if not wanted:
            yield NO_PICTURES
            return
        try:
            end = asyncio.get_running_loop().time() + self._seconds
            async with asyncio.timeout_at(end):
                await self._memory.reserve(MAX_TURN_BYTES)
        except TimeoutError:
            LOG.warning("There is no memory for a turn's pictures", action="media_failed", reason="no_room", media=len(wanted))
            yield NO_PICTURES
            return
        held = MAX_TURN_BYTES  # nobody knows a file's size before it is read: the most is reserved, and the rest released below
        try:
            found, left = await self._fetch_all(wanted[:MAX_MEDIA], end)
            self._memory.release(left)
            held -= left
            yield found
        finally:
            self._memory.release(held)

    async def _fetch_all(self, wanted: Sequence[WantedFile], end: float) -> tuple[Pictures, int]:
        """The pictures, in the order of their messages, and the bytes that they did not need.

        Transient failures are retried together: one wait for all of them.
        """
        files = _TurnFiles(self._downloads)
        retry_until = min(end, asyncio.get_running_loop().time() + self._retry_seconds)
        try:
            async with asyncio.timeout_at(end):
                again = [each for each in wanted if await files.add(*each)]
            async with asyncio.timeout_at(retry_until):
                for seconds in self._retry_waits if again else ():
                    await asyncio.sleep(seconds)
                    again = [each for each in again if await files.add(*each)]
        except TimeoutError:
            pass  # what is there is shown, and the rest is said to be missing
        for event, media in wanted:
            if (event.id, media.id) not in files.found:
                reason = files.reasons.get((event.id, media.id), "no_time")
                LOG.warning("A file could not be fetched", action="media_failed", message=event.id, media=media.id, reason=reason)
        return {name: files.found[name] for event, media in wanted if (name := (event.id, media.id)) in files.found}, files.left


class _TurnFiles:
    """What a turn has fetched so far: one file after the other, so that the order of the answers does not decide which ones fit."""

    def __init__(self, downloads: Downloads) -> None:
        self.found: dict[FileKey, Picture] = {}
        self.reasons: dict[FileKey, str] = {}
        self.left = MAX_TURN_BYTES
        self._downloads = downloads

    async def add(self, event: Received, media: Media) -> bool:
        """Fetch a file; True after a transient failure: it may be retried."""
        name = event.id, media.id
        try:
            data = await self._downloads.fetch(event.media_owner, media, min(MAX_BYTES, self.left))
            self.found[name] = read_picture(data)
        except MediaUnavailable as error:
            self.reasons[name] = error.reason
            return error.transient
        except NotAPicture as error:
            self.reasons[name] = str(error)
            return False
        self.left -= len(data)
        return False
