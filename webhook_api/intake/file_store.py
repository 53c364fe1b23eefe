"""Puts the files of a mail into Redis before the mail is accepted: in pieces, over connections of its own, within a bounded time.

Nothing here can keep a mail from being accepted. A file for which there is no room, or no time, is named with that fault: its sender and
the model are told so. What is stored for a mail that is never accepted ends by itself within the hour.

A file's key is made of the mail's id, the file's place and its content. So a second delivery, which has the same id, writes the same
pieces to the same place and takes no second room; and two deliveries whose files differ (their ids do not cover them) never mix.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from redis.exceptions import OutOfMemoryError, RedisError

from shared.errors import StorageUnavailable
from shared.mailbox import Mailbox, calls
from shared.model.files import MAX_FILE_BYTES, MAX_FILES, File, FileFault
from shared.observability import logs
from shared.runtime import Runtime, redis_url
from shared.storage import clients

SECONDS: Final = 2.0
"""For all files of a mail: its provider waits for the answer."""
ANSWER_SECONDS: Final = 1.0
"""For one answer of the server."""
QUIET_SECONDS: Final = 2.0
"""How long nothing is stored after the server was away or slow: no mail is to wait for what the one before has waited for."""
MAX_AT_ONCE: Final = 4
"""Mails whose files are stored at once, each over one connection."""
log = logs.logger(__name__)


class Content(Protocol):
    """A file as it came."""

    @property
    def content_type(self) -> str:
        """As the mail claims, in lower case; '' for none."""
        ...

    @property
    def chunks(self) -> Callable[[], Iterator[bytes]]:
        """The content, piece by piece, as often as it is called."""
        ...


@dataclass(frozen=True, slots=True)
class _Measured:
    """A file with its key and size."""

    name: str
    content: Content
    key: str
    size: int

    def named(self, fault: FileFault) -> File:
        """As the mail's record names it."""
        return File("" if fault else self.key, self.name, self.content.content_type, self.size, fault)


class FileStore:
    """One web process's way for files. Threads share it. It connects when the first file comes."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._redis = clients.short_lived_client(redis_url(runtime.settings), ANSWER_SECONDS)
        self._mailbox = Mailbox(self._redis)
        self._most = runtime.settings.files_max_mb << 20
        self._places = threading.BoundedSemaphore(MAX_AT_ONCE)
        self._quiet_until = 0.0

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def keep(
        self, message: str, username: str, names: Sequence[str], contents: Sequence[Content], *, away: bool, forwarded: bool = False
    ) -> tuple[File, ...]:
        """Store the files of the mail with the id `message`, from that user; each as the mail's record names it, in their order.

        `away`: the server is known to take nothing now. `forwarded`: others wrote to the user by a forwarding address, and have files kept
        only while half of the room is free: the other half is the users'. Blocks for SECONDS and one answer at most.
        """
        found = [_measured(message, place, *each) for place, each in enumerate(zip(names, contents, strict=True))]
        faults: list[FileFault] = [_unfit(place, file) for place, file in enumerate(found)]
        wanted = [place for place, fault in enumerate(faults) if not fault]
        if wanted:
            most = self._most // 2 if forwarded else self._most
            stored = self._store(message, username, [found[place] for place in wanted], most=most, away=away)
            for place, fault in zip(wanted, stored, strict=True):
                faults[place] = fault
        if lost := [fault for fault in faults if fault]:
            log.warning("Files of a mail are not kept.", action="files_not_kept", message=message, files=len(lost), reason=lost[0])
        return tuple(file.named(fault) for file, fault in zip(found, faults, strict=True))

    def _store(self, message: str, username: str, files: Sequence[_Measured], *, most: int, away: bool) -> list[FileFault]:
        """What keeps each file from being kept, '' where nothing does; `most` bytes are held at most with them."""
        end = time.monotonic() + SECONDS
        slow: list[FileFault] = ["slow"] * len(files)
        if away or time.monotonic() < self._quiet_until or not self._places.acquire(timeout=SECONDS):
            return slow
        try:
            user = self._runtime.identities.user(username)
            rooms = self._mailbox.run(calls.file_room(message, user, [(file.key, file.size) for file in files], most=most))
        except OutOfMemoryError:
            return ["no_room"] * len(files)
        except (RedisError, OSError, StorageUnavailable):
            self._quiet_until = time.monotonic() + QUIET_SECONDS
            return slow
        else:
            if rooms is None:  # accepted before: `accept` will say so, and the first delivery's files are there
                return [""] * len(files)
            return [self._written(file, end) if fits else "no_room" for file, fits in zip(files, rooms, strict=True)]
        finally:
            self._places.release()

    def _written(self, file: _Measured, end: float) -> FileFault:
        try:
            for number, piece in enumerate(in_pieces(file.content.chunks(), calls.PIECE_BYTES)):
                verdict = self._mailbox.run(calls.file_piece(file.key, number, piece)) if time.monotonic() < end else "gone"
                if verdict != "ok":
                    return "no_room" if verdict == "no_room" else "slow"
        except OutOfMemoryError:
            return "no_room"
        except (RedisError, OSError):
            self._quiet_until = time.monotonic() + QUIET_SECONDS
            return "slow"
        return ""


def _measured(message: str, place: int, name: str, content: Content) -> _Measured:
    digest, size = hashlib.sha256(f"{message}\x1f{place}\x1f".encode()), 0
    for chunk in content.chunks():
        digest.update(chunk)
        size += len(chunk)
    return _Measured(name, content, digest.hexdigest()[:32], size)


def _unfit(place: int, file: _Measured) -> FileFault:
    if place >= MAX_FILES:
        return "too_many"
    return "too_large" if file.size > MAX_FILE_BYTES else ""


def in_pieces(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of exactly `size`, the last one shorter."""
    held = bytearray()
    for chunk in chunks:
        held += chunk
        while len(held) >= size:
            yield bytes(held[:size])
            del held[:size]
    if held:
        yield bytes(held)
