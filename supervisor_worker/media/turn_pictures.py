"""The pictures of one turn: which files are asked for, how many, how large together, and how long that may take.

A file that is not to be had never fails a turn: the model is told that there was one, and the log by which reason it is missing.
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
from shared.observability import logs as telemetry
from supervisor_worker.media.download import Downloads, NotHad
from supervisor_worker.media.image_header import MAX_BYTES, NotAPicture, Picture, picture

MAX_TURN_BYTES: Final = 10_000_000
MAX_HELD_BYTES: Final = 40_000_000
"""What all turns of a process hold at once, in bytes of files. As base64, and in the request, they take three times as much."""

Name = tuple[str, str]
"""A picture by the message and the file: `Received.id`, `Media.id`."""
Pictures = Mapping[Name, Picture]
Wanted = tuple[Received, Media]
LOG: Final = telemetry.logger(__name__)
NONE: Final[Pictures] = MappingProxyType({})


class Room:
    """So many bytes, taken before they are read and given back when nobody needs them."""

    def __init__(self, size: int) -> None:
        self.free = size
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self, amount: int) -> None:
        """Wait until there is room; who calls bounds the time."""
        while self.free < amount:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter
        self.free -= amount

    def give(self, amount: int) -> None:
        """Give room back."""
        self.free += amount
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)


class Gallery:
    """Where turns get their pictures from: one for a worker process."""

    def __init__(
        self, downloads: Downloads, *, seconds: float, pauses: Sequence[float], patience: float, room: int = MAX_HELD_BYTES
    ) -> None:
        """`seconds` is for all pictures of a turn together, waiting for room included.

        Some are asked for again, after each of the `pauses`, until `patience` seconds have passed since the first was asked for.
        """
        self._downloads = downloads
        self._seconds = seconds
        self._pauses = tuple(pauses)
        self._patience = patience
        self._room = Room(room)

    @classmethod
    def of(cls, settings: Settings) -> Gallery:
        """As the settings say: half a lease, so that a turn whose pictures hang is still far from losing it.

        At the default time for a file the pauses are 1 s and 3 s, and nothing is asked for again after 10 s.
        """
        patience = settings.media_timeout_seconds
        return cls(Downloads.of(settings), seconds=settings.lease_seconds / 2, pauses=(patience / 10, patience * 3 / 10), patience=patience)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._downloads.aclose()

    @asynccontextmanager
    async def pictures(self, events: Sequence[Received]) -> AsyncIterator[Pictures]:
        """What can be shown of a turn's messages, held while the block runs."""
        wanted = [(event, media) for event in events for media in event.media if media.may_be_picture]
        if not wanted:
            yield NONE
            return
        try:
            end = asyncio.get_running_loop().time() + self._seconds
            async with asyncio.timeout_at(end):
                await self._room.take(MAX_TURN_BYTES)
        except TimeoutError:
            LOG.warning("No room for a turn's pictures", action="media_failed", reason="no_room", media=len(wanted))
            yield NONE
            return
        held = MAX_TURN_BYTES
        try:
            found, left = await self._gather(wanted[:MAX_MEDIA], end)
            self._room.give(left)
            held -= left
            yield found
        finally:
            self._room.give(held)

    async def _gather(self, wanted: Sequence[Wanted], end: float) -> tuple[Pictures, int]:
        """The pictures, in the order in which they came, and the bytes that they did not need.

        Those that may be to be had in a moment are asked for again, with one pause for all of them.
        """
        basket = _Basket(self._downloads)
        patient_until = min(end, asyncio.get_running_loop().time() + self._patience)
        try:
            async with asyncio.timeout_at(end):
                again = [each for each in wanted if await basket.add(*each)]
            async with asyncio.timeout_at(patient_until):
                for pause in self._pauses if again else ():
                    await asyncio.sleep(pause)
                    again = [each for each in again if await basket.add(*each)]
        except TimeoutError:
            pass  # what is there is shown, and the rest said to be missing
        for event, media in wanted:
            if (event.id, media.id) not in basket.found:
                reason = basket.reasons.get((event.id, media.id), "no_time")
                LOG.warning("A file of a text is not to be had", action="media_failed", message=event.id, media=media.id, reason=reason)
        return {name: basket.found[name] for event, media in wanted if (name := (event.id, media.id)) in basket.found}, basket.left


class _Basket:
    """What a turn has got so far. One file after the other: which ones fit does not depend on which comes first."""

    def __init__(self, downloads: Downloads) -> None:
        self.found: dict[Name, Picture] = {}
        self.reasons: dict[Name, str] = {}
        self.left = MAX_TURN_BYTES
        self._downloads = downloads

    async def add(self, event: Received, media: Media) -> bool:
        """Ask for a file; True when it may be to be had in a moment."""
        name = event.id, media.id
        try:
            data = await self._downloads.fetch(event.media_owner, media, min(MAX_BYTES, self.left))
            self.found[name] = picture(data)
        except NotHad as error:
            self.reasons[name] = error.reason
            return error.passing
        except NotAPicture as error:
            self.reasons[name] = str(error)
            return False
        self.left -= len(data)
        return False
