"""The files of a turn: what is shown as it is and what as text, within Anthropic's limits, in a bounded time and memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from shared.mailbox.records import Message, MessageState
from shared.model.addresses import EmailAddress
from shared.model.events import EmailReceived
from shared.model.extracts import Extracts
from shared.model.files import File
from supervisor_worker.media import turn_files
from supervisor_worker.media.image_header import Picture
from supervisor_worker.media.reading import ReadFile
from supervisor_worker.media.turn_files import MAX_TURN_BYTES, MAX_TURN_TEXT, FileLoader, LoadedFiles

PICTURE = Picture("image/png", 10, 10, "x" * 400)
Read = Callable[[bytes], ReadFile]


class Store:
    """Redis with these contents, by key."""

    def __init__(self, **contents: bytes) -> None:
        self.contents = contents
        self.at_once = self.most = 0

    async def execute_command(self, _command: str, key: str, number: int) -> bytes | None:
        """A piece."""
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        content = self.contents[key.rpartition(":")[2]]
        return content[number * 524_288 : (number + 1) * 524_288] or None


class Away:
    """A server that does not answer."""

    async def execute_command(self, *args: Any) -> bytes | None:
        """Nothing."""
        raise RedisConnectionError(str(len(args)))


def message(*files: File, extracts: Extracts | None = None) -> Message:
    """A mail."""
    event = EmailReceived(
        id="m-1", from_=EmailAddress("a@example.com"), to=EmailAddress("b@example.com"), subject="", body="", user="u", message_id="<1@x>",
        files=files,
    )  # fmt: skip
    return Message("m-1", "c-1", "mail", MessageState.IN_TURN, event=event, extracts=extracts or Extracts())


def loaded(
    monkeypatch: pytest.MonkeyPatch, store: Any, read: Read, *files: File, seconds: float = 5, extracts: Extracts | None = None, **more: Any
) -> LoadedFiles:
    """The files of a turn with one mail."""

    async def read_file(content: bytes, name: str, content_type: str, *, seconds: float) -> ReadFile:
        del name, content_type
        assert seconds > 0
        return read(content)

    async def load() -> LoadedFiles:
        loader = FileLoader(store, seconds=seconds, **more)
        async with loader.files([message(*files, extracts=extracts)]) as found:
            pass
        assert loader._memory.free == loader._memory_bytes
        return found

    monkeypatch.setattr(turn_files, "read_file", read_file)
    return asyncio.run(load())


def file(key: str, size: int, name: str = "") -> File:
    """A file that was kept."""
    return File(key, name or f"{key}.x", "a/b", size)


def test_documents_are_shown_within_the_pages_and_bytes_of_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit is shown as text; what comes after it may fit."""
    sizes = {"a": 6_000_000, "b": 10_000_000, "c": 10, "d": 10}
    pages = {6_000_000: 1, 10_000_000: 1, 10: 60}
    store = Store(**{name: bytes(size) for name, size in sizes.items()})

    def read(content: bytes) -> ReadFile:
        return ReadFile("PDF document", text="said", document=content, pages=pages[len(content)])

    found = loaded(monkeypatch, store, read, *(file(name, size) for name, size in sizes.items()))
    shown = {each.file.key: (each.document is not None, each.text_only) for each in found.by_message["m-1"]}
    assert shown == {"a": (True, False), "b": (False, True), "c": (True, False), "d": (False, True)}
    assert sum(len(document.data) * 3 // 4 for document in found.documents.values()) <= MAX_TURN_BYTES
    assert dict(found.extracts("m-1")) == {f"{name}.x": "said" for name in sizes}
    assert found.as_text.documents == {}
    assert all(each.text_only for each in found.as_text.by_message["m-1"])


def test_two_files_at_once_are_in_memory_and_texts_share_their_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are."""
    names = [f"f{number}" for number in range(9)]
    store = Store(**dict.fromkeys(names, b"x" * 20000))
    found = loaded(
        monkeypatch, store, lambda content: ReadFile("text file", text=content.decode()), *(file(name, 20_000) for name in names)
    )
    assert store.most == 2
    texts = [each.text for each in found.by_message["m-1"]]
    assert sum(map(len, texts)) <= MAX_TURN_TEXT
    assert min(map(len, texts)) > MAX_TURN_TEXT // 9 - 10
    assert all(each.cut for each in found.by_message["m-1"])


def test_a_file_that_cannot_be_had_is_told_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gone in part, the server away, no time; and where it was read before, by what was read."""
    store = Store(a=b"abc")

    def nothing(content: bytes) -> ReadFile:
        raise AssertionError(content)

    kept = Extracts.of([("a.x", "read before")])
    for where, more, fault, text in (
        (store, {}, "gone", ""),
        (Away(), {}, "away", ""),
        (store, {"extracts": kept}, "", "read before"),
        (store, {"seconds": 0}, "too_slow", ""),
    ):
        (found,) = loaded(monkeypatch, where, nothing, file("a", 9), **more).by_message["m-1"]
        assert (found.fault, found.text) == (fault, text)
    (found,) = loaded(monkeypatch, store, nothing, File("", "b.pdf", "", 3, "slow")).by_message["m-1"]
    assert found.fault == "slow"


def test_an_empty_file_is_read_and_a_converted_picture_may_be_larger_than_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither needs memory that was not reserved."""
    store = Store(a=b"", b=b"12")
    found = loaded(
        monkeypatch, store, lambda content: ReadFile("picture", picture=PICTURE if content else None), file("a", 0), file("b", 2)
    )
    assert [each.picture for each in found.by_message["m-1"]] == [None, PICTURE]
    assert list(found.pictures) == [("m-1", "b")]


def test_a_turn_whose_files_do_not_get_memory_in_time_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another turn holds it."""

    async def wait() -> LoadedFiles:
        loader = FileLoader(Store(a=b"abc"), seconds=0.05, memory_bytes=3)
        async with loader.files([message(file("a", 3))]), loader.files([message(file("a", 3))]) as found:
            return found

    async def read_file(*_args: Any, **_more: Any) -> ReadFile:
        return ReadFile("PDF document", document=b"abc", pages=1)

    monkeypatch.setattr(turn_files, "read_file", read_file)
    assert [each.fault for each in asyncio.run(wait()).by_message["m-1"]] == ["too_slow"]
