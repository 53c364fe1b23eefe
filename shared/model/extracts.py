"""What was read or heard in a message's files, as it stays with the message: one text, and marks that say from which file each part is."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.errors import BadInput
from shared.model import codec
from shared.model.marks import MAX_MARKS, MAX_SOURCE, Mark, MarkKind

MAX_BYTES: Final = 20_000
"""Bytes of UTF-8 that are kept of all files of a message together."""
_KINDS: Final = ("attached", "heard")


@dataclass(frozen=True, slots=True)
class Extracts:
    """The text, and for each file a mark `attached`, or `heard` for a recording, whose `source` is the file's name."""

    text: str = field(default="", repr=False)
    marks: tuple[Mark, ...] = ()

    @classmethod
    def of(cls, files: Sequence[tuple[str, str]], limit: int = MAX_BYTES, *, heard: Collection[int] = ()) -> Extracts:
        """From names and texts, in their order; of long texts as much as there is room for, the short ones first.

        `heard` are the places of those that are recordings.
        """
        text, marks = "", []
        for place, part in enumerate(shared_out([part for _, part in files], limit)):
            if part:
                kind: MarkKind = "heard" if place in heard else "attached"
                marks.append(Mark(kind, len(text), len(text) + len(part), files[place][0][:MAX_SOURCE]))
                text += part
        return cls(text, tuple(marks))

    @classmethod
    def parse(cls, record: str) -> Extracts:
        """Read the record's field; nothing for one that cannot be read."""
        try:
            value = codec.loads(record or "{}")
            text, marks = value.get("text", ""), tuple(Mark.parse(str(mark)) for mark in value.get("marks", ())[:MAX_MARKS])
        except (BadInput, AttributeError, TypeError):
            return NOTHING_READ
        return cls(text, marks) if isinstance(text, str) and all(mark.kind in _KINDS for mark in marks) else NOTHING_READ

    def __str__(self) -> str:
        return codec.dumps({"text": self.text, "marks": [str(mark) for mark in self.marks]})

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Each file's name, and what was read in it."""
        return ((mark.source, self.text[mark.start : mark.end]) for mark in self.marks)

    def __bool__(self) -> bool:
        return bool(self.marks)


NOTHING_READ: Final = Extracts()


def shared_out(texts: Sequence[str], limit: int) -> list[str]:
    """The texts, cut so that they take `limit` bytes of UTF-8 together: none is cut for one that is longer."""
    contents, left = [text.encode("utf-8", "replace") for text in texts], limit
    for number, place in enumerate(sorted(range(len(texts)), key=lambda place: len(contents[place]))):
        contents[place] = contents[place][: left // (len(texts) - number)]
        left -= len(contents[place])
    return [content.decode("utf-8", "ignore") for content in contents]
