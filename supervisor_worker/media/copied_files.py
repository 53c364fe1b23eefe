"""The files that go with a copy by mail: fetched where they are, kept in Redis until the mail is sent, and read for its request.

The mail's record names them and does not hold them, as a mail's that came in does not.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final

from shared.config.settings import Settings
from shared.mailbox import AsyncMailbox, calls, keys
from shared.model.events import Received, SendEmailResponse
from shared.model.files import File
from supervisor_worker.media.turn_media import MediaLoader

MEGABYTE: Final = 1024 * 1024
SUFFIXES: Final = {
    "image/jpeg": ".jpg", "image/png": ".png", "image/gif": ".gif", "image/webp": ".webp", "application/pdf": ".pdf",
    "text/plain": ".txt", "text/vcard": ".vcf", "text/calendar": ".ics", "audio/mpeg": ".mp3", "audio/amr": ".amr", "audio/ogg": ".ogg",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class MailWithFiles(SendEmailResponse):
    """A mail to send with the contents of its files, in their order; it is never stored."""

    contents: tuple[tuple[File, bytes], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class CopiedFiles:
    """Fetches and keeps the files of one copy, whose reply has the id `reply`; `user` is the id of the person's entry.

    They are kept under the lease of the copy's turn, which `conversation` and `token` name: an erasure breaks it.
    """

    mailbox: AsyncMailbox
    loader: MediaLoader
    settings: Settings
    conversation: str
    token: str
    reply: str
    user: str

    async def of(self, events: Sequence[Received]) -> tuple[tuple[File, ...], int]:
        """The files of these messages that are kept for the mail, and how many there are that could not be had. Raises RedisError."""
        wanted = [(event, media) for event in events for media in event.media]
        if not wanted:
            return (), 0
        async with self.loader.media(events, sounds=True) as found:
            contents = {name: base64.b64decode(picture.data) for name, picture in found.pictures.items()} | dict(found.contents)
            kept = list[File]()
            for number, (event, media) in enumerate(wanted, 1):
                content = contents.get((event.id, media.id))
                if content is None:
                    continue
                name = f"attachment {number}{SUFFIXES.get(media.content_type, '')}"
                key = hashlib.sha256(f"copy\x1f{self.reply}\x1f{event.id}\x1f{media.id}".encode()).hexdigest()[:32]
                if await self._keep(key, content):
                    kept.append(File(key, name, media.content_type, len(content)))
        return tuple(kept), len(wanted) - len(kept)

    async def _keep(self, key: str, content: bytes) -> bool:
        """Whether there was room. What is kept lives an hour, and counts as the person's."""
        room = await self.mailbox.run(
            calls.file_room(
                self.reply, self.user, [(key, len(content))], most=self.settings.files_max_mb * MEGABYTE,
                conversation=self.conversation, token=self.token,
            )
        )  # fmt: skip
        if room != [True]:
            return False
        for number, start in enumerate(range(0, len(content), calls.PIECE_BYTES)):
            if await self.mailbox.run(calls.file_piece(key, number, content[start : start + calls.PIECE_BYTES])) != "ok":
                return False
        return True


async def with_contents(mail: SendEmailResponse, mailbox: AsyncMailbox) -> MailWithFiles:
    """A mail with the contents of its files; one that is not kept any more is left out. Raises RedisError."""
    found: list[tuple[File, bytes]] = []
    for file in mail.files:
        pieces: Any = await mailbox.redis.hgetall(keys.file(file.key))
        content = b"".join(pieces[number] for number in sorted(pieces, key=int))
        if len(content) == file.size:
            found.append((file, content))
    return MailWithFiles(**{each.name: getattr(mail, each.name) for each in fields(mail)}, contents=tuple(found))
