"""The lines of calendar files and contact cards: unfolded, and taken apart into name, parameters and value (RFC 5545 3.1, RFC 6350 3.3)."""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from supervisor_worker.media.readers.kinds import utf_16
from supervisor_worker.media.readers.text_files import decoded

MAX_FILE: Final = 4_000_000
"""Bytes that are looked at; pictures within a card take most of them."""
MAX_LINE: Final = 4_000
"""Bytes of an unfolded line; the rest of it is left out."""
# Folded between any two bytes, also within a character: so this is undone before anything is decoded.
_FOLD: Final = re.compile(rb"(?:\r\n?|\n)[ \t]")
_SOFT_BREAK: Final = re.compile(rb"=(?:\r\n?|\n)")
_LINE: Final = re.compile(rb"[^\r\n]+")
_PARAMETER: Final = re.compile(r';([^=;:"]+)(?:=((?:"[^"]*"|[^";:]*)*+))?')
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ContentLine:
    """A line: its name in capitals, without a group; parameters by name in capitals; the value as it stands."""

    name: str
    parameters: Mapping[str, str]
    value: str


def content_lines(content: bytes, charset: str, wanted: frozenset[str]) -> Iterator[ContentLine]:
    """The lines with a name that is `wanted`; others are passed over unread."""
    content = content[:MAX_FILE]
    form = utf_16(content)
    if form:
        content, charset = content.decode(form, "replace").encode("utf-8", "replace"), "utf-8"
    if b"QUOTED-PRINTABLE" in content.upper():
        content = _SOFT_BREAK.sub(b"", content)  # before the folds: the space that follows is one of the text
    content = _FOLD.sub(b"", content)
    for found in _LINE.finditer(content):
        line = decoded(found[0][:MAX_LINE], charset)
        name = re.split("[;:]", line, maxsplit=1)[0]
        if name.rpartition(".")[2].strip().upper() in wanted:
            yield _taken_apart(line, len(name))


def _taken_apart(line: str, at: int) -> ContentLine:
    """`at` is where the name ends."""
    parameters: dict[str, str] = {}
    name = line[:at].rpartition(".")[2].strip().upper()
    while found := _PARAMETER.match(line, at):
        key, value = found[1].strip().upper(), (found[2] or "").replace('"', "")
        parameters[key] = f"{parameters[key]},{value}" if key in parameters else value
        at = found.end()
    return ContentLine(name, parameters, line[at:].removeprefix(":").strip())


def text_of(line: ContentLine) -> str:
    """A line's value as it is meant: quoted-printable (vCard 2.1, vCalendar 1.0) or with escapes."""
    encoding = f"{line.parameters.get('ENCODING', '')} {' '.join(line.parameters)}".upper()
    if "QUOTED-PRINTABLE" in encoding:
        return decoded(quopri.decodestring(line.value.encode("utf-8", "replace")), line.parameters.get("CHARSET", "")).strip()
    return unescaped(line.value)


def unescaped(value: str) -> str:
    """A text value as it is meant."""
    return _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], value).strip()
