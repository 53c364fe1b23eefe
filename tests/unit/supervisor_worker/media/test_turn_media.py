"""How much of everybody's pictures one process holds: taken before it is read, and always given back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from shared.config.loading import load_settings
from shared.model.addresses import EmailAddress, PhoneNumber
from shared.model.events import EmailReceived, SmsReceived
from shared.model.media import Media
from supervisor_worker.media.download import Downloads, MediaUnavailable
from supervisor_worker.media.turn_media import MAX_TURN_BYTES, NO_MEDIA, ByteBudget, MediaLoader
from tests.payloads.pictures import png

ME = "ME" + "0" * 31


class Shelf:
    """Files by id; each is given when the test lets it."""

    def __init__(self, files: dict[str, bytes | MediaUnavailable]) -> None:
        self.files = files
        self.open = asyncio.Event()
        self.open.set()
        self.asked: list[str] = []

    async def fetch(self, _message_sid: str, media: Media, limit: int) -> bytes:
        """The file, or what became of it."""
        self.asked.append(media.id)
        await self.open.wait()
        found = self.files[media.id]
        if isinstance(found, MediaUnavailable):
            raise found
        assert len(found) <= limit
        return found


def text(*media: Media) -> SmsReceived:
    return SmsReceived(
        id="m", from_=PhoneNumber("+15551234567"), to=PhoneNumber("+15559876543"), message="", user="ada", provider_id="MM",
        media_count=len(media), media=media,
    )  # fmt: skip


def loader(shelf: Shelf, *, seconds: float = 10, retry_seconds: float = 5, memory_bytes: int = MAX_TURN_BYTES) -> MediaLoader:
    return MediaLoader(
        cast("Downloads", shelf), seconds=seconds, retry_waits=(0.01, 0.03), retry_seconds=retry_seconds, memory_bytes=memory_bytes
    )


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


ONE = text(Media(ME + "1", "image/png"))


def test_a_turn_waits_for_room_and_goes_on_when_there_is_some() -> None:
    """The second begins when the first is through with its pictures."""

    async def scenario() -> None:
        shelf = Shelf({ME + "1": png(10, 10)})
        ours = loader(shelf)
        async with ours.media([ONE]) as first:
            assert len(first.pictures) == 1
            waiting = asyncio.create_task(_count(ours))
            await asyncio.sleep(0)
            assert len(shelf.asked) == 1
        assert await waiting == 1
        assert ours._memory.free == MAX_TURN_BYTES

    run(scenario)


def test_what_the_pictures_did_not_need_is_free_while_the_model_thinks() -> None:
    """A turn takes ten megabytes and keeps what it has read."""

    async def scenario() -> None:
        ours = loader(Shelf({ME + "1": png(10, 10)}), memory_bytes=MAX_TURN_BYTES + 1_000)
        async with ours.media([ONE]), ours.media([ONE]) as second:
            assert len(second.pictures) == 1
            assert ours._memory.free == MAX_TURN_BYTES + 1_000 - 2 * len(png(10, 10))
        assert ours._memory.free == MAX_TURN_BYTES + 1_000

    run(scenario)


def test_without_room_in_time_a_turn_goes_without_its_pictures() -> None:
    """It is answered all the same."""

    async def scenario() -> None:
        shelf = Shelf({})
        ours = loader(shelf, seconds=0.01, memory_bytes=MAX_TURN_BYTES - 1)
        with capture_logs() as logs:
            async with ours.media([ONE]) as found:
                assert found is NO_MEDIA
        assert [line["reason"] for line in logs] == ["no_room"]
        assert shelf.asked == []

    run(scenario)


def test_room_comes_back_from_a_turn_that_fails_or_is_cancelled() -> None:
    """While it thinks, while it fetches, and while it waits."""

    async def scenario() -> None:
        shelf = Shelf({ME + "1": png(10, 10)})
        ours = loader(shelf)
        with pytest.raises(KeyError):
            async with ours.media([ONE]):
                raise KeyError
        assert ours._memory.free == MAX_TURN_BYTES
        shelf.open.clear()
        fetching = asyncio.create_task(_count(ours))
        waiting = asyncio.create_task(_count(ours))
        patient = asyncio.create_task(_count(ours))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
        fetching.cancel()
        await asyncio.wait({fetching})
        shelf.open.set()
        assert await patient == 1
        assert ours._memory.free == MAX_TURN_BYTES

    run(scenario)


def test_a_pass_that_is_given_to_a_turn_that_was_cancelled_meanwhile_reaches_the_next() -> None:
    """Bytes that nobody takes would be lost for good."""

    async def scenario() -> None:
        memory = ByteBudget(10)
        await memory.reserve(10)
        first, second = asyncio.create_task(memory.reserve(10)), asyncio.create_task(memory.reserve(10))
        await asyncio.sleep(0)
        memory.release(10)
        first.cancel()
        await second
        assert memory.free == 0

    run(scenario)


def test_one_pause_is_made_for_all_that_may_be_there_later() -> None:
    """What will not be there is not asked for again, and the order stays the texts'."""

    async def scenario() -> None:
        late, gone = MediaUnavailable("http_404", transient=True), MediaUnavailable("http_403")
        shelf = Shelf({ME + "1": late, ME + "2": png(20, 20), ME + "3": late, ME + "4": gone})
        several = text(*(Media(f"{ME}{number}") for number in (1, 2, 3, 4)))
        ours = loader(shelf)

        async def arrives() -> None:
            while len(shelf.asked) < 4:  # noqa: ASYNC110 - the shelf tells nobody
                await asyncio.sleep(0)
            shelf.files[ME + "1"] = png(10, 10)

        task = asyncio.create_task(arrives())
        with capture_logs() as logs:
            async with ours.media([several]) as found:
                assert [name for _, name in found.pictures] == [ME + "1", ME + "2"]
        await task
        assert shelf.asked == [ME + name for name in "1234133"]
        assert [(line["media"], line["reason"]) for line in logs] == [(ME + "3", "http_404"), (ME + "4", "http_403")]

    run(scenario)


def test_what_is_late_is_waited_for_a_second_and_three_and_nothing_longer_than_ten() -> None:
    """By the settings' defaults; a test may have it all quicker."""
    ours, quick = (MediaLoader.of(load_settings(_env_file=None, **more)) for more in ({}, {"media_timeout_seconds": 1.0}))
    assert (ours._retry_waits, ours._retry_seconds) == ((1.0, 3.0), 10.0)
    assert [*quick._retry_waits, quick._retry_seconds] == pytest.approx([0.1, 0.3, 1.0])


def test_asking_again_ends_when_patience_does() -> None:
    """However many pauses are left, and however slowly each answer comes."""

    async def scenario() -> None:
        shelf = Shelf({ME + "1": MediaUnavailable("http_404", transient=True)})
        ours = loader(shelf, retry_seconds=0)
        async with ours.media([ONE]) as found:
            assert found.pictures == {}
        assert shelf.asked == [ME + "1"]

    run(scenario)


def test_mails_and_texts_without_pictures_cost_nothing() -> None:
    """No room is taken, nothing is asked for; a mail's files are names."""

    async def scenario() -> None:
        shelf = Shelf({})
        ours = loader(shelf, memory_bytes=0)
        mail = EmailReceived(
            id="m", from_=EmailAddress("u@example.com"), to=EmailAddress("b@example.com"), subject="", body='<img src="https://x.example/1.png">',
            user="ada", message_id="<m@x>", attachments=("a.png",),
        )  # fmt: skip
        async with ours.media([mail, text(), text(Media(ME + "1", "video/mp4"))]) as found:
            assert found is NO_MEDIA
        assert shelf.asked == []

    run(scenario)


async def _count(ours: MediaLoader) -> int:
    async with ours.media([ONE]) as found:
        return len(found.pictures)
