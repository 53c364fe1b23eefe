"""What one message of ours tells of reminders that are due: an occurrence of each. A line of JSON in the message's record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.errors import BadInput
from shared.model import codec
from shared.model.recurrence import MINUTE


@dataclass(frozen=True, slots=True)
class Ring:
    """An occurrence: when it was due (ms of UTC), and what the wall's clock of `zone` was to show.

    `marked`: its text is made of words of others; `source` says whose, "" where that is not known. `asks_zone`: a question of ours whether
    as many reminders as `source` says, which go by the clock of the zone `text`, are to go by that of `zone`.
    """

    reminder: str
    text: str = field(repr=False)
    due_ms: int
    local: datetime
    zone: str
    marked: bool = False
    source: str = field(repr=False, default="")
    asks_zone: bool = False


def read(text: str) -> tuple[Ring, ...]:
    """The occurrences, in order; what cannot be read is left out."""
    return tuple(_each(text))


def _each(text: str) -> Iterator[Ring]:
    try:
        found: Any = codec.loads(text)
    except BadInput:
        return
    for each in found if isinstance(found, list) else []:
        try:
            local = datetime.strptime(each["local"], MINUTE)  # noqa: DTZ007 - by the wall's clock
            yield Ring(
                str(each["id"]),
                str(each["text"]),
                int(each["due"]),
                local,
                str(each["zone"]),
                bool(each["marked"]),
                str(each["source"]),
                each.get("kind") == "zone",
            )
        except (KeyError, TypeError, ValueError):
            continue
