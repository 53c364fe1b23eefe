"""The marks before the items of HTML lists, as a reader sees them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

MAX_LISTS: Final = 500
_NUMBER: Final = re.compile(r"\s*(-?\d{1,9})")
_BULLET: Final = "- "
LETTERS: Final = 26


@dataclass(slots=True)
class _Numbers:
    """The numbers of an ordered list: the next one, and the kind of them, "1", "a" or "A"."""

    following: int
    kind: str


@dataclass(slots=True)
class Lists:
    """The lists that are open, the innermost last; None for one with bullets."""

    open: list[_Numbers | None] = field(default_factory=list)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Open an `ol` or a `ul`."""
        if len(self.open) < MAX_LISTS:
            self.open.append(_Numbers(_number(attributes.get("start", ""), 1), attributes.get("type", "1")) if name == "ol" else None)

    def end(self) -> None:
        """Close the innermost list."""
        if self.open:
            self.open.pop()

    def mark(self, attributes: dict[str, str]) -> str:
        """What stands before an item: a bullet, or the next number or letter."""
        numbers = self.open[-1] if self.open else None
        if numbers is None:
            return _BULLET
        value = _number(attributes.get("value", ""), numbers.following)
        numbers.following = value + 1
        if numbers.kind in ("a", "A") and 0 < value <= LETTERS:
            return f"{chr(ord(numbers.kind) + value - 1)}. "
        return f"{value}. "


def _number(text: str, otherwise: int) -> int:
    found = _NUMBER.match(text)
    return int(found[1]) if found else otherwise
