"""The files of a turn's texts: which are fetched, how many, how large together, and how long that may take.

A file that cannot be fetched never fails a turn: the model is told that there was one, and the log says why it is missing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from shared.config.settings import Settings
from shared.model.events import Received
from shared.model.media import MAX_MEDIA, Media
from shared.observability import logs
from supervisor_worker.media.download import Downloads, MediaUnavailable
from supervisor_worker.media.image_header import MAX_BYTES, NotAPicture, Picture, read_picture
from supervisor_worker.media.readers.kinds import READERS, VOICE, claimed_kind

MAX_TURN_BYTES: Final = 10_000_000
"""Of one turn's files together."""
MAX_HELD_BYTES: Final = 40_000_000
"""Of the files of all turns of a process. As base64, and in the request, they take three times as much memory."""

FileKey = tuple[str, str]
"""A file by its message and itself: `Received.id`, `Media.id`."""
Pictures = Mapping[FileKey, Picture]
WantedFile = tuple[Received, Media]
LOG: Final = logs.logger(__name__)


@dataclass(frozen=True, slots=True)
class FetchedMedia:
    """What was fetched: `pictures`, which the model is shown as they are, and the `contents` of what else is to be read.

    `end` is when the time for all files of the turn is over, by the event loop's clock; None where nothing was fetched.
    """

    pictures: Pictures = field(default_factory=lambda: MappingProxyType({}))
    contents: Mapping[FileKey, bytes] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    end: float | None = None


NO_MEDIA: Final = FetchedMedia()


def worth_fetching(media: Media, *, sounds: bool) -> bool:
    """Whether there is anything to do with a file, by the type that its carrier gives: to show, to read, or, with `sounds`, to hear it."""
    kind = claimed_kind("", media.content_type)
    return media.may_be_picture or (sounds if kind == VOICE else kind in READERS)


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


class MediaLoader:
    """Fetches the files of turns: one loader for a worker process."""

    def __init__(
        self,
        downloads: Downloads,
        *,
        seconds: float,
        retry_waits: Sequence[float],
        retry_seconds: float,
        memory_bytes: int = MAX_HELD_BYTES,
    ) -> None:
        """`seconds` is for all files of a turn together, with the waiting for memory.

        A transient failure is retried after each of the `retry_waits`, until `retry_seconds` have passed since the first request.
        """
        self._downloads = downloads
        self._seconds = seconds
        self._retry_waits = tuple(retry_waits)
        self._retry_seconds = retry_seconds
        self._memory = ByteBudget(memory_bytes)

    @classmethod
    def of(cls, settings: Settings) -> MediaLoader:
        """As the settings say: half a lease for a turn, so that one whose files hang is still far from losing its lease.

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
    async def media(
        self, events: Sequence[Received], *, known: Collection[FileKey] = (), sounds: bool = False
    ) -> AsyncIterator[FetchedMedia]:
        """The files of a turn's messages. Their memory counts as used while the block runs.

        Those that are `known` are left out; recordings are fetched where `sounds` says that they can be heard.
        """
        wanted = [
            (event, media)
            for event in events
            for media in event.media
            if (event.id, media.id) not in known and worth_fetching(media, sounds=sounds)
        ]
        if not wanted:
            yield NO_MEDIA
            return
        try:
            end = asyncio.get_running_loop().time() + self._seconds
            async with asyncio.timeout_at(end):
                await self._memory.reserve(MAX_TURN_BYTES)
        except TimeoutError:
            LOG.warning("There is no memory for a turn's files", action="media_failed", reason="no_room", media=len(wanted))
            yield NO_MEDIA
            return
        held = MAX_TURN_BYTES  # nobody knows a file's size before it is read: the most is reserved, and the rest released below
        try:
            found, left = await self._fetch_all(wanted[:MAX_MEDIA], end)
            self._memory.release(left)
            held -= left
            yield found
        finally:
            self._memory.release(held)

    async def _fetch_all(self, wanted: Sequence[WantedFile], end: float) -> tuple[FetchedMedia, int]:
        """The files, in the order of their messages, and the bytes that they did not need.

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
            if not files.has(event.id, media.id):
                reason = files.reasons.get((event.id, media.id), "no_time")
                LOG.warning("A file could not be fetched", action="media_failed", message=event.id, media=media.id, reason=reason)
        order = [(event.id, media.id) for event, media in wanted]
        pictures = {name: files.pictures[name] for name in order if name in files.pictures}
        return FetchedMedia(pictures, files.contents, end), files.left


class _TurnFiles:
    """What a turn has fetched so far: one file after the other, so that the order of the answers does not decide which ones fit."""

    def __init__(self, downloads: Downloads) -> None:
        self.pictures: dict[FileKey, Picture] = {}
        self.contents: dict[FileKey, bytes] = {}
        self.reasons: dict[FileKey, str] = {}
        self.left = MAX_TURN_BYTES
        self._downloads = downloads

    def has(self, event: str, media: str) -> bool:
        """Whether a file is there."""
        return (event, media) in self.pictures or (event, media) in self.contents

    async def add(self, event: Received, media: Media) -> bool:
        """Fetch a file; True after a transient failure: it may be retried."""
        name = event.id, media.id
        try:
            data = await self._downloads.fetch(event.media_owner, media, min(MAX_BYTES, self.left))
        except MediaUnavailable as error:
            self.reasons[name] = error.reason
            return error.transient
        self.left -= len(data)
        try:
            self.pictures[name] = read_picture(data)
        except NotAPicture:
            self.contents[name] = data
        return False
