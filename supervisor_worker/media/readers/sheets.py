"""Spreadsheets (XLSX): a line a row, as the cells were last shown; only the first cells of each sheet are looked at.

The strings of a workbook stand together behind its sheets. So the sheets are read first, up to what can be shown, and then the strings
that those cells name.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from typing import Final

from supervisor_worker.media.readers.extract import BoundedText, TextFull
from supervisor_worker.media.readers.packages import Attributes, Package
from supervisor_worker.media.readers.sheet_dates import DateStyles, day_of

MAX_CELLS: Final = 8_000
"""Of all sheets together: each takes two bytes of text at least."""
MAX_SHEETS: Final = 20
MAX_CELL: Final = 2_000
"""Characters of a cell."""
_MAX_STRINGS: Final = 2_000_000
_MAX_RELATIONS: Final = 1_000
_MAX_GAP: Final = 12
_REFERENCE: Final = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_SHEET_PATH: Final = re.compile(r"xl/worksheets/sheet([0-9]{1,5})\.xml")
_STRINGS: Final = "xl/sharedStrings.xml"
_WORKBOOK: Final = "xl/workbook.xml"
_RELATIONS: Final = "xl/_rels/workbook.xml.rels"


@dataclass(slots=True)
class Cell:
    """A cell: its row, its column (from 1) and name, its type and style, and what it holds."""

    row: int
    column: int
    name: str
    kind: str
    style: str
    value: str = ""


@dataclass(slots=True)
class Sheet:
    """A sheet's cells, in their order. `title` is its name, with a note where the workbook hides it."""

    title: str
    path: str
    cells: list[Cell] = field(default_factory=list)


def read(content: bytes, charset: str, text: BoundedText) -> None:
    """Add the sheets."""
    del charset  # XML says its own
    package = Package(content)
    sheets = _sheets(package)
    full, room = len(sheets) > MAX_SHEETS, MAX_CELLS
    for sheet in sheets[:MAX_SHEETS]:
        reader = _Cells(sheet, room)
        try:
            package.parse(sheet.path, reader.start, reader.end, reader.data)
        except TextFull:
            full = True
        room -= len(sheet.cells)
    wanted = {int(cell.value) for sheet in sheets for cell in sheet.cells if cell.kind == "s" and cell.value.isdecimal()}
    strings = _strings(package, wanted)
    dates = DateStyles.of(package)
    for sheet in sheets[:MAX_SHEETS]:
        text.line(f"Sheet: {sheet.title}")
        _add(sheet, strings, dates, text)
    text.cut = full


def _add(sheet: Sheet, strings: dict[int, str], dates: DateStyles, text: BoundedText) -> None:
    """Add the rows; where rows or many columns are missing, the cell's name says where it stands."""
    row, column = 0, 0
    for cell in sheet.cells:
        value = _shown(cell, strings, dates)
        if not value:
            continue
        if cell.row != row:
            text.add("\n" if row else "")
            text.add(f"[row {cell.row}] " if cell.row != row + 1 else "")
            row, column = cell.row, 1
        gap = cell.column - column
        text.add("\t" * gap if 0 <= gap <= _MAX_GAP else f"\t[{cell.name}] ")
        column = cell.column
        text.add(value)
    text.line("\n")


def _shown(cell: Cell, strings: dict[int, str], dates: DateStyles) -> str:
    if cell.kind == "s":
        value = strings.get(int(cell.value), "") if cell.value.isdecimal() else ""
    elif cell.kind == "b":
        value = {"1": "TRUE", "0": "FALSE"}.get(cell.value, "")
    elif cell.kind in {"", "n"} and cell.style in dates.styles:
        value = day_of(cell.value, from_1904=dates.from_1904)
    else:
        value = cell.value
    return " ".join(value.split())


class _Cells:
    """Follows a sheet's elements. Raises TextFull when there are enough cells."""

    def __init__(self, sheet: Sheet, room: int) -> None:
        self.sheet = sheet
        self._room = room
        self._cell = Cell(0, 0, "", "", "")
        self._row = 0
        self._in_value = False

    def start(self, tag: str, attributes: Attributes) -> None:
        if tag == "row":
            number = attributes.get("r", "")
            self._row = int(number) if number.isdecimal() and len(number) < 9 else self._row + 1  # noqa: PLR2004 - no sheet has so many
            self._cell = Cell(self._row, 0, "", "", "")
        elif tag == "c":
            self._cell = self._next(attributes)
        elif tag in {"v", "t"}:
            self._in_value = True

    def _next(self, attributes: Attributes) -> Cell:
        found = _REFERENCE.fullmatch(attributes.get("r", ""))
        column = _column(found[1]) if found else self._cell.column + 1
        kind, style = attributes.get("t", ""), attributes.get("s", "")
        return Cell(self._row, column, found[0] if found else f"column {column}", kind[:9], style[:9])

    def end(self, tag: str) -> None:
        if tag in {"v", "t"}:
            self._in_value = False
        elif tag == "c" and self._cell.value:
            if len(self.sheet.cells) >= self._room:
                raise TextFull
            self.sheet.cells.append(self._cell)

    def data(self, words: str) -> None:
        if self._in_value and len(self._cell.value) < MAX_CELL:
            self._cell.value += words[:MAX_CELL]


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def _sheets(package: Package) -> list[Sheet]:
    """The sheets in the order in which they are shown: the workbook names them, and its relations say where each lies."""
    named: list[tuple[str, str]] = []
    paths: dict[str, str] = {}

    def sheet(tag: str, attributes: Attributes) -> None:
        if tag == "sheet" and len(named) <= MAX_SHEETS:
            hidden = attributes.get("state", "") in {"hidden", "veryHidden"}
            named.append((attributes.get("name", "")[:100] + (" (hidden)" if hidden else ""), attributes.get("id", "")))

    def relation(tag: str, attributes: Attributes) -> None:
        if tag == "Relationship" and len(paths) < _MAX_RELATIONS:
            target = attributes.get("Target", "")
            paths[attributes.get("Id", "")] = target.removeprefix("/") if target.startswith("/") else f"xl/{target}"

    package.parse(_WORKBOOK, sheet, lambda _: None, lambda _: None)
    if _RELATIONS in package.names:
        package.parse(_RELATIONS, relation, lambda _: None, lambda _: None)
    found = [Sheet(title, paths[key]) for title, key in named if paths.get(key, "") in package.names]
    if found:
        return found
    files = sorted(filter(_SHEET_PATH.fullmatch, package.names), key=lambda path: (len(path), path))
    titles = [title for title, _ in named] if len(named) == len(files) else [str(number + 1) for number in range(len(files))]
    return [Sheet(title, path) for title, path in zip(titles, files, strict=True)]


def _strings(package: Package, wanted: set[int]) -> dict[int, str]:
    """The strings with the numbers that are wanted; the rest of the entry is not read."""
    if not wanted or _STRINGS not in package.names:
        return {}
    reader = _Strings(wanted)
    with contextlib.suppress(TextFull):
        package.parse(_STRINGS, reader.start, reader.end, reader.data)
    return reader.found


class _Strings:
    """Follows the elements of the shared strings. Raises TextFull behind the last that is wanted, or when they are too many."""

    def __init__(self, wanted: set[int]) -> None:
        self.found: dict[int, str] = {}
        self._wanted = wanted
        self._last = max(wanted)
        self._number = -1
        self._in_text = False
        self._phonetic = False
        self._room = _MAX_STRINGS

    def start(self, tag: str, attributes: Attributes) -> None:
        del attributes
        if tag == "si":
            self._number += 1
            if self._number > self._last or self._room <= 0:
                raise TextFull
        elif tag == "rPh":  # how the string is pronounced
            self._phonetic = True
        elif tag == "t":
            self._in_text = not self._phonetic

    def end(self, tag: str) -> None:
        if tag == "rPh":
            self._phonetic = False
        elif tag == "t":
            self._in_text = False

    def data(self, words: str) -> None:
        before = self.found.get(self._number, "")
        if self._in_text and self._number in self._wanted and len(before) < MAX_CELL:
            self.found[self._number] = before + words[:MAX_CELL]
            self._room -= len(words)
