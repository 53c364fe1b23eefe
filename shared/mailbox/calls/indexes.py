"""The indexes by which a message is found: of a person, a conversation, a Message-ID. The scripts keep them (`lua/indexes.lua`). No I/O.

An index's name is an id: `u-` an entry of the users file, `s-` a sender's address, `c-` a conversation, `i-` a Message-ID, `w-` a sender as
it is shown, masked. Messages of a version without indexes are listed once, in steps that any worker may make (`shared.mailbox.lua.index`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from shared.mailbox.call import Call

END: Final = "end-2"
"""All are listed, notices too. The version before, which listed none of those, says `end`: then all is looked through once more."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the older messages are listed: `at` is where the next step begins, `END` when all are; `""` before the first.

    `began_ms` and `moved_ms` are when the first step was made, and the last one, in ms of Redis TIME.
    """

    at: str = ""
    began_ms: int = 0
    moved_ms: int = 0
    listed: int = 0
    """How many messages an older version had left; 0 at the end: there was none."""
    there: int = 0
    """How many messages there were at all: with them an older version may have stored what no index leads to."""


def progress_from(record: dict[str, Any]) -> Progress:
    """The progress from its record's fields."""
    return Progress(
        record.get("at", ""),
        int(record.get("began") or 0),
        int(record.get("moved") or 0),
        int(record.get("listed") or 0),
        int(record.get("there") or 0),
    )


def list_stored(entries: Iterable[tuple[str, str]], *, begun: str = "", ended: str = "") -> Call[int]:
    """List stored messages, each with the names that its record does not say, separated by blanks; the answer is how many there were.

    `begun` and `ended` move the progress on, unless another worker did; without `ended` it stays.
    """
    rest = tuple(part for entry in entries for part in entry)
    return Call("index", {"from": begun, "to": ended}, int, rest)
