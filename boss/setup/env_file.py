"""`.env`, edited by line: what is not ours stays as it stands, with its comments and its order. Pure."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Final

from dotenv.parser import Binding, parse_stream

HEADING: Final = "# Written by boss setup."
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:/+=@?&%,~-]*")
"""What needs no quotes, for Bossline and honcho alike."""


def edited(text: str, changes: Mapping[str, str | None]) -> str:
    """The file with these names set, or taken out (None).

    A name keeps its line; a new one stands behind its example (`#NAME=`) if there is one, else at the end. Of a name that stands there
    more than once the last counts, as it does for whoever reads the file.
    """
    pieces = [binding.original.string for binding in _bindings(text)]
    found = _places(text)
    new: dict[str, str] = {}
    for name, value in changes.items():
        places = found.get(name, [])
        if value is None:
            for place in places:
                pieces[place] = _leading_lines(pieces[place])
        elif places:
            pieces[places[-1]] = _leading_lines(pieces[places[-1]]) + line(name, value)
        else:
            new[name] = line(name, value)
    return _with_new(_without_empty_heading("".join(pieces)), new)


def value_of(text: str, name: str) -> str | None:
    """The value that a name has; None where it is not set."""
    found = [binding.value for binding in _bindings(text) if binding.key and binding.key.upper() == name]
    return found[-1] if found else None


def line(name: str, value: str) -> str:
    """One line of the file. Raises ValueError for a value with a line end, or one that cannot be quoted."""
    if any(char in value for char in "\r\n\0"):
        raise ValueError(f"{name}: has a line end")
    if _PLAIN.fullmatch(value):
        return f"{name}={value}\n"
    if "'" in value or "\\" in value:
        raise ValueError(f"{name}: has a quote or a backslash")
    return f"{name}='{value}'\n"


def _bindings(text: str) -> list[Binding]:
    return list(parse_stream(io.StringIO(text)))


def _places(text: str) -> dict[str, list[int]]:
    """Which of the bindings set a name."""
    found: dict[str, list[int]] = {}
    for number, binding in enumerate(_bindings(text)):
        if binding.key is not None and not binding.error:
            found.setdefault(binding.key.upper(), []).append(number)
    return found


def _leading_lines(piece: str) -> str:
    """The blank lines that the reader counts to a binding: they are no part of it."""
    stripped = piece.lstrip("\r\n \t")
    return piece[: len(piece) - len(stripped)]


def _without_empty_heading(text: str) -> str:
    """Our heading goes with the last line below it, and so does the blank line above it."""
    head, found, rest = text.rpartition(HEADING)
    if not found or rest.strip():
        return text
    kept = head.rstrip("\r\n")
    return kept + head[len(kept) : len(kept) + 1] if kept else ""


def _with_new(text: str, new: Mapping[str, str]) -> str:
    rest: list[str] = []
    for name, added in new.items():
        example = re.search(rf"^#[ \t]?{re.escape(name)}=.*$\n?", text, re.MULTILINE)
        if example is None:
            rest.append(added)
            continue
        before = text[: example.end()]
        text = before + ("" if before.endswith("\n") else "\n") + added + text[example.end() :]
    if not rest:
        return text
    if text and not text.endswith("\n"):
        text += "\n"
    if HEADING not in text.splitlines():
        text += ("\n" if text else "") + HEADING + "\n"
    return text + "".join(rest)
