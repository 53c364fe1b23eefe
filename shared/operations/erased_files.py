"""What lies on a web host's disk of persons who were erased: messages that wait in the spool, copies, and dead letters.

Each host drops its own. A message that was written after its person's erasure began stays: how old one is, is known from the host's own
clock alone, and is compared with how long ago the erasure was by the server's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from shared import durable_files, spool_layout
from shared.errors import BadInput
from shared.mailbox.call import DAY_MS
from shared.mailbox.calls import ErasedMessage
from shared.model import codec
from shared.model.addresses import Identities
from shared.model.channels import CHANNELS
from shared.model.events import Received
from shared.operations.person_records import batches

PARTS: Final = (spool_layout.WAITING, spool_layout.UNREPLICATED, spool_layout.ASIDE)
NEW_DRAFT_SECONDS: Final = 1.0
"""A younger draft may belong to a writer that has not locked it yet."""


@dataclass(frozen=True, slots=True)
class ErasedFile:
    """A file of an erased person's, and the message in it; None for one that would not have been answered."""

    path: Path
    message: ErasedMessage | None


@dataclass
class Dropped:
    """How many files went, and how many cannot be read and stayed."""

    files: int = 0
    unreadable: int = 0


@dataclass(frozen=True)
class ErasedOnDisk:
    """One look through a spool's directory. `at_ms` is when each was erased, by the ids of users and of senders, in ms of Redis TIME."""

    root: Path
    identities: Identities
    at_ms: Mapping[str, int]
    now_ms: int
    dropped: Dropped = field(default_factory=Dropped)

    def drop(self, mark: Callable[[list[ErasedMessage]], object]) -> Dropped:
        """Drop what was written before; `mark` makes messages known first, so that nobody brings them back. Raises OSError.

        A file that cannot be read is nobody's: it is counted and stays. A draft that a dead process left goes.
        """
        for some in batches(self._found()):
            if messages := [each.message for each in some if each.message]:
                mark(messages)
            for each in some:
                each.path.unlink(missing_ok=True)
            self.dropped.files += len(some)
        return self.dropped

    def _found(self) -> Iterator[ErasedFile]:
        for part in PARTS:
            for path in sorted((self.root / part).glob("*")):
                with suppress(FileNotFoundError):  # handed on meanwhile
                    if path.suffix == ".part":
                        self._drop_dead_draft(path)
                    elif (found := self._theirs(path)) is not None:
                        yield found

    def _drop_dead_draft(self, path: Path) -> None:
        if time.time() - path.stat().st_mtime >= NEW_DRAFT_SECONDS:
            durable_files.remove_dead_draft(path)

    def _theirs(self, path: Path) -> ErasedFile | None:
        """An erased person's file. Raises FileNotFoundError."""
        try:
            written = path.stat().st_mtime
            value: Any = codec.loads(path.read_bytes())
            return self._judged(path, value, written)
        except FileNotFoundError:
            raise
        except (BadInput, OSError, TypeError, AttributeError, KeyError, ValueError):
            self.dropped.unreadable += 1
            return None

    def _judged(self, path: Path, value: Any, written: float) -> ErasedFile | None:
        event = codec.decode(value["event"]) if "event" in value else None
        if isinstance(event, Received):
            return self._message(path, event, written)
        if ours := value.get("outgoing"):
            return self._outgoing(path, ours)
        return self._of_address(path, value, written)

    def _outgoing(self, path: Path, ours: Any) -> ErasedFile | None:
        """What a program has the Boss write to an erased person."""
        if not self._was_erased(self.identities.user(ours["user"]), float(ours["received_at"])):
            return None
        return ErasedFile(path, ErasedMessage(ours["id"], CHANNELS[ours["channel"]].known_days * DAY_MS))

    def _of_address(self, path: Path, value: Any, written: float) -> ErasedFile | None:
        """A message of an erased person's address: one that is not answered, or that was not judged yet.

        Of the latter, what its provider may list later has an id already; a mail that got its 2xx is brought by nobody.
        """
        sender, message = value.get("sender") or "", value.get("message") or {}
        if not sender or not self._was_erased(self.identities.claimed(sender), float(message.get("received_at") or written)):
            return None
        known_ms = CHANNELS[value["channel"]].known_days * DAY_MS
        return ErasedFile(path, ErasedMessage(message["id"], known_ms) if message.get("id") else None)

    def _message(self, path: Path, event: Received, written: float) -> ErasedFile | None:
        if not self._was_erased(self.identities.user(event.user), event.received_at or written):
            return None
        known_ms = CHANNELS[event.channel].known_days * DAY_MS
        return ErasedFile(path, ErasedMessage(event.id, known_ms, [file.key for file in event.files if file.key]))

    def _was_erased(self, whose: str, written: float) -> bool:
        at = self.at_ms.get(whose)
        return at is not None and self.now_ms - max(0.0, time.time() - written) * 1000 <= at
