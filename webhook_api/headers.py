"""A mail's header block, read leniently: whatever stands in it, there is no exception and no quadratic time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header
from typing import Final

from shared.text import decode, one_line

MAX_BLOCK: Final = 262_144
MAX_HEADERS: Final = 500
MAX_VALUE: Final = 20_000
MAX_REFERENCES: Final = 20

_FIELD: Final = re.compile(r"([!-9;-~]{1,80})[ \t]*:(.*)", re.DOTALL)
_MESSAGE_ID: Final = re.compile(r"<[!-;=?-~]{1,400}>")
_BARE_ID: Final = re.compile(r"[!-;=?-~]{1,400}")


@dataclass(frozen=True, slots=True)
class Headers:
    """Names in lower case and unfolded values, in their order."""

    items: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, block: str) -> Headers:
        """Read a block up to its first empty line."""
        return cls(tuple(_fields(block[:MAX_BLOCK])))

    def all(self, name: str) -> list[str]:
        """The values of every header of that name."""
        return [value for each, value in self.items if each == name]

    def first(self, name: str) -> str:
        """The value of the first header of that name, or ''."""
        return next((value for each, value in self.items if each == name), "")

    def message_id(self, name: str) -> str:
        """The first id of a header, with its brackets (added when they are missing); '' when there is none."""
        value = self.first(name).strip()
        found = _MESSAGE_ID.search(value)
        if found:
            return found[0]
        return f"<{value}>" if _BARE_ID.fullmatch(value) else ""

    def references(self) -> tuple[str, ...]:
        """The ids of References: the thread's root and the last twenty."""
        ids = list(dict.fromkeys(_MESSAGE_ID.findall(self.first("references"))))
        return tuple(ids if len(ids) <= MAX_REFERENCES else [ids[0], *ids[-MAX_REFERENCES:]])


def _fields(block: str) -> Iterator[tuple[str, str]]:
    name, value = "", ""
    for line in block.replace("\r\n", "\n").replace("\r", "\n").split("\n")[: 8 * MAX_HEADERS]:
        if not line.strip():
            break
        if line[0] in " \t":
            value = f"{value} {line.strip()}"[:MAX_VALUE]
            continue
        if name:
            yield name, value
        field = _FIELD.fullmatch(line)
        name, value = (field[1].lower(), field[2].strip()[:MAX_VALUE]) if field else ("", "")
    if name:
        yield name, value


def decoded(value: str, limit: int) -> str:
    """A header's text with its encoded words (RFC 2047) decoded, on one line."""
    try:
        pieces = decode_header(value[:MAX_VALUE])
    except (HeaderParseError, ValueError, LookupError):
        return one_line(value, limit)
    return one_line("".join(piece if isinstance(piece, str) else decode(piece, charset or "") for piece, charset in pieces), limit)
