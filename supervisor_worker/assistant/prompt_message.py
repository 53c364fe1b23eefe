"""One message of a question, and how messages are put in a row. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final, Literal

from supervisor_worker.media.image_header import Picture
from supervisor_worker.media.turn_files import Document

APART: Final = "\n\n"


@dataclass(frozen=True, slots=True)
class PromptMessage:
    """One message of the conversation, as the model sees it.

    `ends` are the places in `text` at which its blocks end, but the last: a line of the history keeps a block of its own, so that what
    comes behind it leaves it as it was for the cache.
    """

    role: Literal["user", "assistant"]
    text: str
    pictures: tuple[Picture, ...] = ()
    documents: tuple[Document, ...] = ()
    ends: tuple[int, ...] = field(default=(), compare=False)

    @property
    def blocks(self) -> list[str]:
        """The text, block by block."""
        return [self.text[start:end] for start, end in pairwise((0, *self.ends, len(self.text)))]

    def followed_by(self, other: PromptMessage) -> PromptMessage:
        """This one and another of the same role as one message."""
        text = f"{self.text}{APART}{other.text}"
        ends = (*self.ends, len(self.text), *(len(self.text) + len(APART) + end for end in other.ends))
        return replace(
            self, text=text, pictures=(*self.pictures, *other.pictures), documents=(*self.documents, *other.documents), ends=ends
        )  # fmt: skip


def alternating(messages: Iterable[PromptMessage]) -> list[PromptMessage]:
    """As the Messages API requires: roles alternate, the first is the user's, and no message is empty."""
    result: list[PromptMessage] = []
    for message in messages:
        if not message.text or (not result and message.role == "assistant"):
            continue
        if result and result[-1].role == message.role:
            result[-1] = result[-1].followed_by(message)
        else:
            result.append(message)
    return result
