"""What a child found in a file, and the bytes in which it says so. Pure; both sides import this."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, Literal

Fault = Literal["", "too_large", "damaged", "too_slow", "encrypted", "unknown"]
"""Why a file could not be read, or only in part; `unknown`: there is no reader for its kind."""
MAX_TEXT_BYTES: Final = 20_000
"""Of a file's text, as UTF-8."""
MAX_HEADER_BYTES: Final = 200_000
"""Of the header: the text as ASCII JSON, in which a byte of UTF-8 takes six at most."""
_LENGTH: Final = 4


class Unreadable(Exception):
    """A file that its reader gives up; what was added to its text before is kept."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault: Fault = fault


class TextFull(Exception):
    """There is no room for more text: the rest of the file need not be read."""


@dataclass(frozen=True, slots=True)
class Extras:
    """What a reader found beside the text.

    Pages; whether the model may be given the file itself; a picture to show in its place; and how many seconds a recording lasts.
    """

    pages: int = 0
    document: bool = False
    picture: bytes = b""
    seconds: int = 0


NOTHING_ELSE: Final = Extras()


class BoundedText:
    """The text of a file, up to MAX_TEXT_BYTES."""

    def __init__(self) -> None:
        self.cut = False
        self._pieces: list[str] = []
        self._left = MAX_TEXT_BYTES

    def add(self, piece: str) -> None:
        """Add a piece. Raises TextFull when it did not fit whole; what fits of it is kept."""
        size = len(piece.encode("utf-8", "replace"))
        if size <= self._left:
            self._left -= size
            self._pieces.append(piece)
            return
        self._pieces.append(piece.encode("utf-8", "replace")[: self._left].decode("utf-8", "ignore"))
        self._left, self.cut = 0, True
        raise TextFull

    def line(self, text: str) -> None:
        """Add a line. Raises TextFull."""
        self.add(text + "\n")

    @property
    def text(self) -> str:
        """All of it, without blanks around."""
        return "".join(self._pieces).strip()


def frame(said: dict[str, Any]) -> bytes:
    """A message as it goes through the pipe: four bytes of length, then JSON in ASCII."""
    data = json.dumps(said).encode("ascii")
    return len(data).to_bytes(_LENGTH) + data


def unframe(data: bytes) -> tuple[dict[str, Any], bytes]:
    """A message, and what stands behind it. Raises ValueError for anything else."""
    length = int.from_bytes(data[:_LENGTH])
    body = data[_LENGTH : _LENGTH + length]
    if len(data) < _LENGTH or len(body) < length or length > MAX_HEADER_BYTES:
        raise ValueError("no whole message")
    said = json.loads(body)
    if not isinstance(said, dict):
        raise ValueError("no object")  # noqa: TRY004 - one error for whatever a child may say
    return said, data[_LENGTH + length :]
