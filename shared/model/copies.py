"""What a message of ours says that is a copy for the person's other channel. A line of JSON in the message's record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from shared.errors import BadInput
from shared.model import codec


@dataclass(frozen=True, slots=True)
class Copy:
    """Either its `text`, in the model's Markdown, or the `reply` whose text it is, by its id.

    `marked`: it is made of words of others, or under their eyes. `messages` are those whose files go with it by mail, by their ids.
    """

    text: str = field(default="", repr=False)
    reply: str = ""
    marked: bool = False
    messages: tuple[str, ...] = ()

    @classmethod
    def parse(cls, record: str) -> Copy:
        """Read the record's field; one that says nothing where it cannot be read."""
        try:
            value: Any = codec.loads(record)
            return cls(str(value["text"]), str(value["reply"]), value["marked"] is True, tuple(map(str, value.get("messages") or ())))
        except (BadInput, KeyError, TypeError):
            return NO_COPY


NO_COPY: Final = Copy()
