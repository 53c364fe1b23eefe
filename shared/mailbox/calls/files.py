"""The files that came with mails: room for them, their pieces, what was read in them, and their end. No I/O.

Their content is not a part of any event. The webhook writes it in pieces before it accepts the mail, `accept` keeps those of a mail that
will be answered, and whoever answers it reads them. Sizes are in bytes, times in ms.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal, cast

from shared.mailbox.call import HOUR_MS, Arguments, Call
from shared.mailbox.calls.spending import NO_MODEL_CALL, Settled
from shared.mailbox.records import HEARD
from shared.model.extracts import Extracts
from shared.model.heard import Heard

PIECE_BYTES: Final = 512 * 1024
"""What is written and read at once: Redis serves nobody else meanwhile."""
MAX_MEMORY_PERCENT: Final = 60
"""Of what the server may hold, how much it may hold with a file; what is above is for messages, which matter more."""
LEAST_ROOM: Final = 32 * 1024
"""What the smallest file counts for: with the bound on all of them it bounds how many there are."""
WAITING_MS: Final = HOUR_MS
"""How long files live that no accepted mail has named."""
Piece = Literal["ok", "gone", "no_room"]
"""What became of a piece; `gone`: there is no room reserved for its file any more."""
Kept = Literal["kept", "lost", "gone"]


def file_room(
    message: str, user: str, files: Iterable[tuple[str, int]], *, most: int, conversation: str = "", token: str = ""
) -> Call[list[bool] | None]:  # fmt: skip
    """Room for a mail's files, each by its key and size: whether there is, in their order; None for a mail that was accepted before.

    All files that are held take `most` bytes together. `message` is the mail's id, `user` that of its sender's entry of the users file.
    A worker, which keeps files for a turn, has room only under the lease that it names by `conversation` and `token`.
    """
    arguments: Arguments = {
        "id": message, "user": user or "-", "conv": conversation, "token": token, "most": most, "percent": MAX_MEMORY_PERCENT,
        "least": LEAST_ROOM, "life": WAITING_MS,
    }  # fmt: skip
    return Call("file_room", arguments, _rooms, tuple(word for key, size in files for word in (key, size)))


def file_piece(key: str, number: int, piece: bytes) -> Call[Piece]:
    """Write one piece of a file; they are counted from 0."""
    arguments: Arguments = {"name": key, "number": number, "percent": MAX_MEMORY_PERCENT, "life": WAITING_MS, "piece": piece}
    return Call("file_piece", arguments, _piece)


def keep_read(conversation: str, token: str, message: str, read: Extracts) -> Call[Kept]:
    """Keep with a message what was read in its files (`shared.model.extracts.Extracts`)."""
    return Call("keep_read", {"conv": conversation, "token": token, "id": message, "read": str(read)}, _kept)


def keep_heard(conversation: str, token: str, message: str, file: str, heard: Heard, *, settled: Settled = NO_MODEL_CALL) -> Call[Kept]:
    """Keep with a message what was heard in one of its recordings, by the file's id; `settled` is what that cost."""
    arguments: Arguments = {
        "conv": conversation, "token": token, "id": message, "field": HEARD + file, "heard": str(heard), **settled.arguments(),
    }  # fmt: skip
    return Call("keep_heard", arguments, _kept)


def _rooms(raw: Any) -> list[bool] | None:
    return None if raw == ["known"] else [verdict == "ok" for verdict in raw]


def _piece(raw: Any) -> Piece:
    return cast("Piece", raw)


def _kept(raw: Any) -> Kept:
    return cast("Kept", raw)
