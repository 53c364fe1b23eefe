"""Contact cards (vCard 2.1, 3 and 4): names, numbers, addresses; pictures and keys are left out."""

from __future__ import annotations

import quopri
from collections.abc import Sequence
from typing import Final

from supervisor_worker.media.readers.content_lines import MAX_FILE, ContentLine, content_lines, unescaped
from supervisor_worker.media.readers.extract import BoundedText
from supervisor_worker.media.readers.text_files import decoded

_LABELS: Final = {
    "ORG": "Organization",
    "TITLE": "Title",
    "TEL": "Phone",
    "EMAIL": "E-mail",
    "ADR": "Address",
    "URL": "Web",
    "BDAY": "Birthday",
    "NOTE": "Note",
}
_WANTED: Final = frozenset({"BEGIN", "END", "FN", "N", *_LABELS})
_STRUCTURED: Final = frozenset({"ORG", "ADR"})
_USES: Final = frozenset({"CELL", "HOME", "WORK", "FAX", "MAIN", "PAGER"})
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
    names = {line.name: _value(line) for line in card if line.name in {"FN", "N"}}
    family, given, *_ = [*names.get("N", "").split(";"), "", ""]
    text.line(f"Contact: {names.get('FN') or f'{given} {family}'.strip() or '(without a name)'}")
    for line in card:
        value = _value(line).removeprefix("tel:")
        if line.name in _STRUCTURED:
            value = ", ".join(part.strip() for part in value.split(";") if part.strip())
        if line.name in _LABELS and value:
            text.line(f"{_LABELS[line.name]}{_use(line)}: {value}")
    text.line("")


def _value(line: ContentLine) -> str:
    """The value as it is meant: vCard 2.1 writes what is not ASCII as quoted-printable."""
    said = ",".join((*line.parameters, *line.parameters.values())).upper()
    if "QUOTED-PRINTABLE" in said:
        return decoded(quopri.decodestring(line.value.encode("utf-8", "replace")), line.parameters.get("CHARSET", "")).strip()
    return unescaped(line.value)


def _use(line: ContentLine) -> str:
    """Which of several numbers or addresses it is."""
    said = ",".join((*line.parameters, line.parameters.get("TYPE", ""))).upper().split(",")
    uses = [word.strip().lower().replace("cell", "mobile") for word in said if word.strip() in _USES]
    return f" ({', '.join(dict.fromkeys(uses))})" if uses else ""
