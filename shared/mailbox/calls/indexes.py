"""The indexes by which a message is found: of a person, a conversation, a Message-ID. The scripts keep them (`lua/indexes.lua`). No I/O.

An index's name is an id: `u-` an entry of the users file, `s-` a sender's address, `c-` a conversation, `i-` a Message-ID, `w-` a sender as
it is shown, masked. Messages of a version without indexes are listed once, in steps that any worker may make (`shared.mailbox.lua.index`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from shared.mailbox.call import Call

BEGIN: Final = "0"
"""Where a look through all records begins, and where the server says that it has ended."""
END: Final = "end"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the older messages are listed: `at` is where the next step begins, `END` when all are; `""` before the first.

    `server` is the one whose records these are: what one server calls a place in them means nothing to another. `moved_ms` is when the
    last step ended, in ms of Redis TIME.
    """

    at: str = ""
    server: str = ""
    moved_ms: int = 0


def progress_from(record: dict[str, Any]) -> Progress:
    """The progress from its record's fields."""
    return Progress(record.get("at", ""), record.get("server", ""), int(record.get("moved") or 0))


def list_stored(entries: Iterable[tuple[str, str]], *, server: str, begun: str = "", ended: str = "") -> Call[int]:
    """List stored messages, each with the names that its record does not say; the answer is how many there were.

    `begun` and `ended` move the progress on, unless another worker did; without `ended` it stays.
    """
    rest = tuple(part for entry in entries for part in entry)
    return Call("index", {"server": server, "from": begun, "to": ended}, int, rest)
