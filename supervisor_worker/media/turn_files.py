"""The files of a turn, read, heard and made ready for the model, in a bounded time and memory.

Those of mails are fetched from Redis piece by piece; those of texts are there already (`turn_media`). Nothing that a file is or holds
fails a turn: of one that cannot be had or read, the model is told its name, its kind and the reason.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, Protocol, cast

from redis.exceptions import RedisError

from shared.mailbox import calls, keys
from shared.mailbox.records import Message
from shared.model.extracts import Extracts, shared_out
from shared.model.files import File, FileFault
from shared.model.heard import Heard, HearingFault
from shared.model.media import Media
from shared.observability import logs
from supervisor_worker.media.image_header import Picture
from supervisor_worker.media.readers.kinds import READERS, VOICE, claimed_kind
from supervisor_worker.media.reading import ReadFile, read_file
from supervisor_worker.media.turn_media import NO_MEDIA, ByteBudget, FetchedMedia, FileKey

MAX_TURN_BYTES: Final = 15_000_000
"""Of the documents and pictures of a turn that are shown as they are: as base64 20 MB, where Anthropic takes 32 MB a request."""
MAX_TURN_PAGES: Final = 100
"""Of all documents of a turn: Anthropic's bound on a request."""
MAX_TURN_TEXT: Final = 60_000
"""Bytes of what is read in the files of a turn that are shown as text."""
MAX_HELD_BYTES: Final = 45_000_000
"""Of the files of all turns of a process: whole while they are read, then those that are shown as they are, which take three times as much
memory as base64 and in the request."""
FILES_AT_ONCE: Final = 2
"""Files that a process holds whole at once, to have them read."""
Fault = FileFault | Literal["gone", "away", "damaged", "too_slow", "encrypted", "unknown"] | HearingFault
"""Why the model cannot be shown a file, or not all of it. `gone`: it was kept, and is not any more."""
LOG: Final = logs.logger(__name__)


class BytesCommands(Protocol):
    """A client of Redis that does not decode."""

    async def execute_command(self, *args: Any) -> Any:
        """Raises RedisError."""
        ...


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording that is to be heard: the file of a message, with its content. `seconds` is the most that it can last."""

    message: Message
    file: File
    seconds: int
    content: bytes = field(repr=False)


Hear = Callable[[Recording, float], Awaitable[Heard]]
"""Has a recording heard until a time of the event loop's clock. What it raises ends the turn."""


@dataclass(frozen=True, slots=True)
class Document:
    """A PDF for the model: base64, and how many pages it has."""

    pages: int
    data: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TurnFile:
    """One file as the model is shown it: as a picture, as a document, as text, or not at all, for a `fault`.

    `text` is what was read in it, also where it is shown as a document, or what was heard. `text_only`: it could be shown as it is, and
    there was no room.
    """

    file: File
    kind: str = ""
    text: str = field(default="", repr=False)
    cut: bool = False
    fault: Fault = ""
    picture: Picture | None = field(default=None, repr=False)
    document: Document | None = field(default=None, repr=False)
    text_only: bool = False

    @property
    def is_recording(self) -> bool:
        """Whether it is a recording, whose text somebody else wrote down."""
        return self.kind == VOICE

    @property
    def as_text(self) -> TurnFile:
        """The same, shown as what was read in it."""
        if not (self.picture or self.document):
            return self
        return replace(self, picture=None, document=None, text_only=True)


@dataclass(frozen=True, slots=True)
class LoadedFiles:
    """The files of a turn's messages, by the ids of these."""

    by_message: Mapping[str, tuple[TurnFile, ...]] = field(default_factory=dict)

    def _each(self) -> Iterator[tuple[FileKey, TurnFile]]:
        return (((name, each.file.key), each) for name, files in self.by_message.items() for each in files)

    @property
    def pictures(self) -> dict[FileKey, Picture]:
        """Those that are shown as pictures, by the ids of message and file."""
        return {name: each.picture for name, each in self._each() if each.picture}

    @property
    def documents(self) -> dict[FileKey, Document]:
        """Those that are shown as documents."""
        return {name: each.document for name, each in self._each() if each.document}

    @property
    def as_text(self) -> LoadedFiles:
        """The same, all shown as what was read in them."""
        return LoadedFiles({name: tuple(each.as_text for each in files) for name, files in self.by_message.items()})

    def extracts(self, message: str) -> Extracts:
        """What stays with a message of what was read in its files."""
        files = self.by_message.get(message, ())
        heard = {place for place, each in enumerate(files) if each.is_recording}
        return Extracts.of([(each.file.name, each.text) for each in files], heard=heard)

    @property
    def unheard(self) -> tuple[TurnFile, ...]:
        """The recordings whose words nobody knows."""
        return tuple(each for _, each in self._each() if each.is_recording and each.fault)


NO_FILES: Final = LoadedFiles()


class FileLoader:
    """Loads the files of turns: one loader for a worker process."""

    def __init__(self, redis: BytesCommands, *, seconds: float, memory_bytes: int = MAX_HELD_BYTES) -> None:
        """`seconds` is for all files of a turn together, with the waiting for memory and for places."""
        self._redis = redis
        self._seconds = seconds
        self._memory_bytes = memory_bytes
        self._memory = ByteBudget(memory_bytes)
        self._places = asyncio.Semaphore(FILES_AT_ONCE)

    @asynccontextmanager
    async def files(
        self, messages: Sequence[Message], media: FetchedMedia = NO_MEDIA, hear: Hear | None = None
    ) -> AsyncIterator[LoadedFiles]:
        """The files of a turn's messages, those of texts from `media`; recordings are heard by `hear`, and by nobody without it.

        The memory of those that are shown as they are counts as used while the block runs. Raises what `hear` raises.
        """
        wanted = [each for message in messages for each in _wanted(message, media)]
        if not wanted:
            yield NO_FILES
            return
        end = media.end or asyncio.get_running_loop().time() + self._seconds
        held = min(self._memory_bytes, sum(each.file.size for each in wanted if each.is_stored))
        try:
            async with asyncio.timeout_at(end):
                await self._memory.reserve(held)
        except TimeoutError:
            LOG.warning("There is no memory for a turn's files", action="files_failed", reason="no_room", files=len(wanted))
            yield _by_message([(each.message, TurnFile(each.file, fault=each.file.fault or "too_slow")) for each in wanted])
            return
        try:
            room = _Room()
            found = await asyncio.gather(*(self._load(each, end) for each in wanted))
            # One after the other, because each is paid for; and with no reader's place, because it takes long.
            found = [await _heard(loaded, hear, end) for loaded in found]
            _log_untold(wanted, found)
            fitting = [(each.message, room.fitted(loaded)) for each, loaded in zip(wanted, found, strict=True) if each.is_told(loaded)]
            del found  # and with it the documents for which there is no room
            spare = max(0, held - (MAX_TURN_BYTES - room.bytes))
            self._memory.release(spare)
            held -= spare
            yield _by_message(_with_room_for_texts(fitting))
        finally:
            self._memory.release(held)

    async def _load(self, wanted: _Wanted, end: float) -> _Loaded:
        """One file, read; `gone` ones by what was read in them before."""
        file, message = wanted.file, wanted.message
        if file.fault:
            return _Loaded(TurnFile(file, fault=file.fault))
        if heard := message.heard.get(file.key):
            return _Loaded(TurnFile(file, VOICE, heard.text, fault=heard.fault), is_heard=True)
        fault: Fault = "gone"
        try:
            async with asyncio.timeout_at(end), self._places:
                content = await self._fetch(file) if wanted.is_stored else wanted.content
                if content is not None:
                    seconds = end - asyncio.get_running_loop().time()
                    return _Loaded.of(wanted, content, await read_file(content, file.name, file.content_type, seconds=seconds))
        except TimeoutError:
            fault = "too_slow"
        except (RedisError, OSError):
            fault = "away"
        kind = claimed_kind(file.name, file.content_type)
        if wanted.is_stored:
            LOG.warning("A file could not be had", action="files_failed", message=message.id, reason=fault)
        before = dict(message.extracts).get(file.name, "")
        kind = kind if kind == VOICE else ""
        return _Loaded(TurnFile(file, kind, text=before, fault="" if before else fault), is_heard=bool(before))

    async def _fetch(self, file: File) -> bytes | None:
        """A file's content; None where a part of it has gone."""
        pieces: list[bytes] = []
        for number in range(-(-file.size // calls.PIECE_BYTES)):
            piece = await self._redis.execute_command("HGET", keys.file(file.key), number)
            if piece is None:
                return None
            pieces.append(piece)
        content = b"".join(pieces)
        return content if len(content) == file.size else None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A file of a message. `content` is that of a text's file, where it was fetched; a mail's `is_stored` in Redis."""

    message: Message
    file: File
    is_stored: bool = True
    content: bytes | None = field(default=None, repr=False)

    def is_told(self, loaded: _Loaded) -> bool:
        """Whether the file is told of by itself. Of a text's, those of which nothing can be shown are told of together, by their kinds.

        What says that it is a picture is shown as one, or not at all: a page that a sender calls so is nothing that the person sent.
        """
        found = loaded.file
        if self.is_stored or found.is_recording:
            return True
        if self.file.content_type.startswith("image/"):
            return loaded.picture is not None
        return bool(loaded.picture or loaded.document or found.text) or (found.kind in READERS and not found.fault)


def _wanted(message: Message, media: FetchedMedia) -> Iterator[_Wanted]:
    """The files of a message, in their order, without the pictures of a text, which are shown already."""
    if message.event is None:
        return
    yield from (_Wanted(message, file) for file in message.event.files)
    known = {name for name, _ in message.extracts}
    for number, each in enumerate(message.event.media, 1):
        content = media.contents.get((message.id, each.id))
        file = media_file(number, each, len(content or b""))
        is_sound = claimed_kind("", each.content_type) == VOICE
        if content is not None or is_sound or each.id in message.heard or file.name in known:
            yield _Wanted(message, file, is_stored=False, content=content)


def _log_untold(wanted: Sequence[_Wanted], found: Sequence[_Loaded]) -> None:
    """Why what was fetched for a text is not shown."""
    for each, loaded in zip(wanted, found, strict=True):
        if each.content is not None and not each.is_told(loaded):
            reason = loaded.file.fault or "not_a_picture"
            LOG.warning(
                "A file of a text cannot be shown", action="media_failed", message=each.message.id, media=each.file.key, reason=reason
            )


def media_file(number: int, media: Media, size: int = 0) -> File:
    """A file of a text, which has no name: it gets one of ours, by its number in the text."""
    return File(media.id, f"attachment {number}", media.content_type, size)


async def _heard(loaded: _Loaded, hear: Hear | None, end: float) -> _Loaded:
    """A file after it was heard, if it is a recording that was not heard before; any other as it is."""
    file = loaded.file
    if not file.is_recording or loaded.is_heard:
        return loaded
    if hear is None:
        return _Loaded(replace(file, fault="not_heard"))
    if loaded.recording is None:  # it could not be had, or its kind not be read: another try of the turn may hear it
        return _Loaded(replace(file, fault="hearing_failed"))
    heard = await hear(loaded.recording, end)
    return _Loaded(replace(file, text=heard.text, fault=heard.fault))


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A file before it is known whether there is room to show it as it is, and before it is heard."""

    file: TurnFile
    picture: Picture | None = field(default=None, repr=False)
    document: bytes | None = field(default=None, repr=False)
    pages: int = 0
    recording: Recording | None = None
    is_heard: bool = False

    @classmethod
    def of(cls, wanted: _Wanted, content: bytes, read: ReadFile) -> _Loaded:
        shown = TurnFile(wanted.file, read.kind, read.text, read.cut, cast("Fault", read.fault))
        recording = Recording(wanted.message, wanted.file, read.seconds, content) if read.kind == VOICE and not read.fault else None
        return cls(shown, read.picture, read.document, read.pages, recording)


@dataclass(slots=True)
class _Room:
    """What is left for what is shown as it is."""

    bytes: int = MAX_TURN_BYTES
    pages: int = MAX_TURN_PAGES

    def fitted(self, loaded: _Loaded) -> TurnFile:
        """The file with its picture or document if there is room for it, else by its text."""
        size = len(loaded.document) if loaded.document else len(loaded.picture.data) * 3 // 4 if loaded.picture else 0
        if not size:
            return loaded.file
        if size > self.bytes or loaded.pages > self.pages:
            return replace(loaded.file, text_only=True)
        self.bytes, self.pages = self.bytes - size, self.pages - loaded.pages
        if loaded.document:
            return replace(loaded.file, document=Document(loaded.pages, base64.b64encode(loaded.document).decode("ascii")))
        return replace(loaded.file, picture=loaded.picture)


def _with_room_for_texts(files: Sequence[tuple[Message, TurnFile]]) -> Iterator[tuple[Message, TurnFile]]:
    """The files with their texts cut so that all of them have room."""
    texts = shared_out([each.text for _, each in files], MAX_TURN_TEXT)
    for (message, each), text in zip(files, texts, strict=True):
        yield message, replace(each, text=text, cut=each.cut or len(text) < len(each.text))


def _by_message(files: Iterator[tuple[Message, TurnFile]] | Sequence[tuple[Message, TurnFile]]) -> LoadedFiles:
    found: dict[str, list[TurnFile]] = {}
    for message, each in files:
        found.setdefault(message.id, []).append(each)
    return LoadedFiles({name: tuple(each) for name, each in found.items()})
