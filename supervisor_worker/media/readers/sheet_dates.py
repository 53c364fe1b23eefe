"""Which cells of a spreadsheet hold dates, and which date a number means: XLSX stores days since 1900, and only the style says so."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from supervisor_worker.media.readers.packages import Attributes, Package

_STYLES: Final = "xl/styles.xml"
_WORKBOOK: Final = "xl/workbook.xml"
_BUILT_IN: Final = frozenset(map(str, (*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59))))
_NOT_FORMAT: Final = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|[Gg]eneral')
_DATE_LETTERS: Final = re.compile(r"[dmyhs]", re.IGNORECASE)
_MAX_STYLES: Final = 100_000
_EPOCH_1900: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - a sheet's times have no zone
_EPOCH_1904: Final = datetime(1904, 1, 1)  # noqa: DTZ001
_LAST_DAY: Final = 2_958_465


@dataclass(frozen=True, slots=True)
class DateStyles:
    """The numbers of the cell styles that show a date or time, and where the workbook's days begin."""

    styles: frozenset[str]
    from_1904: bool

    @classmethod
    def of(cls, package: Package) -> DateStyles:
        """Read from a workbook."""
        reader = _Styles()
        if _STYLES in package.names:
            package.parse(_STYLES, reader.start, reader.end, lambda _: None)
        package.parse(_WORKBOOK, reader.start, reader.end, lambda _: None)
        dates = _BUILT_IN | reader.formats
        return cls(frozenset(str(number) for number, used in enumerate(reader.used) if used in dates), reader.from_1904)


def day_of(value: str, *, from_1904: bool) -> str:
    """A number of days as a date, a time or both; as it stands where it is none."""
    try:
        days = float(value)
    except ValueError:
        return value
    if not 0 <= days <= _LAST_DAY:
        return value
    moment = (_EPOCH_1904 if from_1904 else _EPOCH_1900) + timedelta(seconds=round(days * 86_400))
    if days < 1:
        return f"{moment:%H:%M}"
    return moment.date().isoformat() if days == int(days) else f"{moment:%Y-%m-%d %H:%M}"


class _Styles:
    """Follows the elements of the styles and of the workbook."""

    def __init__(self) -> None:
        self.formats: set[str] = set()
        self.used: list[str] = []
        self.from_1904 = False
        self._in_cells = False

    def start(self, tag: str, attributes: Attributes) -> None:
        if tag == "numFmt" and _DATE_LETTERS.search(_NOT_FORMAT.sub("", attributes.get("formatCode", "")[:500])):
            self.formats.add(attributes.get("numFmtId", ""))
        elif tag == "cellXfs":
            self._in_cells = True
        elif tag == "xf" and self._in_cells and len(self.used) < _MAX_STYLES:
            self.used.append(attributes.get("numFmtId", ""))
        elif tag == "workbookPr":
            self.from_1904 = attributes.get("date1904", "") in {"1", "true"}

    def end(self, tag: str) -> None:
        self._in_cells = self._in_cells and tag != "cellXfs"
