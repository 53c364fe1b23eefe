"""Contact cards (vCard 2.1, 3 and 4): names, numbers, addresses; pictures and keys are left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from supervisor_worker.media.readers.content_lines import MAX_FILE, ContentLine, content_lines, text_of
from supervisor_worker.media.readers.extract import BoundedText

_LABELS: Final = {
    "ORG": "Organization",
    "TITLE": "Title",
    "TEL": "Phone",
    "EMAIL": "E-mail",
    "ADR": "Address",
    "URL": "Web",
    "BDAY": "Birthday",
    "NOTE": "Note",
    "NICKNAME": "Nickname",
}
_WANTED: Final = frozenset({"BEGIN", "END", "FN", "N", *_LABELS})
_STRUCTURED: Final = frozenset({"ORG", "ADR"})
_USES: Final = frozenset({"CELL", "HOME", "WORK", "FAX", "MAIN", "PAGER"})
_BORDER: Final = re.compile(r"(?<!\\);")
_MAX_LINES: Final = 100
"""Of one card that are looked at."""


def read(content: bytes, charset: str, text: BoundedText) -> None:
    """Add the cards, in their order."""
    card: list[ContentLine] = []
    for line in content_lines(content, charset, _WANTED):
        if line.name not in {"BEGIN", "END"}:
            card = [*card, line] if len(card) < _MAX_LINES else card
        elif card:
            _add(card, text)
            card = []
    if card:  # the file ends within a card
        _add(card, text)
    text.cut = len(content) > MAX_FILE


def _add(card: Sequence[ContentLine], text: BoundedText) -> None:
    names = {line.name: _fields(line) for line in card if line.name in {"FN", "N"}}
    family, given, *_ = [*names.get("N", []), "", ""]
    text.line(f"Contact: {'; '.join(names.get('FN', [])) or f'{given} {family}'.strip() or '(without a name)'}")
    for line in card:
        value = ", ".join(filter(None, _fields(line))) if line.name in _STRUCTURED else text_of(line).removeprefix("tel:")
        if line.name in _LABELS and value:
            text.line(f"{_LABELS[line.name]}{_use(line)}: {value}")
    text.line("")


def _fields(line: ContentLine) -> list[str]:
    """The parts of a name, an address or an organization; a semicolon behind a backslash is none of their borders."""
    return [text_of(replace(line, value=part)) for part in _BORDER.split(line.value)]


def _use(line: ContentLine) -> str:
    """Which of several numbers or addresses it is."""
    said = ",".join((*line.parameters, line.parameters.get("TYPE", ""))).upper().split(",")
    uses = [word.strip().lower().replace("cell", "mobile") for word in said if word.strip() in _USES]
    return f" ({', '.join(dict.fromkeys(uses))})" if uses else ""
